// Package inject makes a message that a program or a person hands in ready for
// the queue: it completes the addresses in its header, adds the fields that are
// missing, finds out sender and recipients, and passes everything on.
//
// One core serves the programs that submit mail. [New] reads what holds for
// every message, the control files and the environment; [Injector.Queue] and
// [Injector.Print] then take one message each, and share nothing that they
// change. In what qmail-inject, qmail-inject(8), and a sendmail that other
// programs call have to differ, a [Policy] says which way to go. Options, exit
// codes and where the bytes come from are the program's own affair: input that
// is to be cleaned of carriage returns, say, is wrapped in another reader.
//
// # File format
//
// A message is a header and a body, qmail-header(5). The header is a sequence of
// fields; the body follows a blank line, or begins with the first line that is
// neither a field nor the continuation of one:
//
//	message = *field [ blank-line body | body ]
//	field   = name *( SP / TAB ) ":" text LF *( ( SP / TAB ) text LF )
//	        / "From " text LF *( ... )    ; an mbox line, renamed to MBOX-Line
//	name    = 1*( any byte from 33 to 126 but ":" )
//
// Some fields hold lists of addresses, which are RFC 822's with a few liberties:
//
//	list    = [ member ] *( "," [ member ] )
//	member  = address / phrase "<" [ route ":" ] address ">" / group
//	group   = phrase ":" list ";"
//	address = word *( [ "." ] word ) [ "@" host ]
//	host    = *( "." / word )
//	word    = atom / quoted-string / literal
//
// Comments may stand anywhere. With the default host "box", the default domain
// "dom.example" and the plus domain "plus.example", this field
//
//	To: Bob <bob>, circle: cy@far, dee@cs+;, "eli e"@far.example (Eli)
//
// becomes
//
//	To: Bob <bob@box.dom.example>, circle: cy@far.dom.example,
//	  dee@cs.plus.example;, "eli e"@far.example (Eli)
//
// with the recipients eli e@far.example, dee@cs.plus.example,
// cy@far.dom.example and bob@box.dom.example in that order: lists are read from
// the right. A comma is put in where one is missing. A field with an unbalanced
// bracket or quote has no addresses; in one whose angle brackets or group marks
// do not match, the addresses are found as well as may be. Such a field is not
// rewritten, and is an error if it says who sent the message. An address with a NUL
// in it is always an error.
//
// All this is qmail-inject's way (list.go). With [Policy.Exact] lists are RFC
// 5322's, and stricter (exact.go): only an address that lacks a host, or a dot in
// it, changes, and only by what it lacks, so that the field above becomes
//
//	To: Bob <bob@box.dom.example>, circle: cy@far.dom.example, dee@cs.plus.example;, "eli e"@far.example (Eli)
//
// Lines may be of any length. The header is held in memory: before and after
// rewriting no more than [MaxHeader] bytes, with its recipients; and between two
// commas of an address list no more than a million words and marks. What is
// beyond is an error. A header of 5 MB with 100,000 recipients takes some 40 MB,
// the worst there can be some 500 MB. The body passes through a buffer of 32 KiB.
package inject
