// Package sendmail is what other programs expect of a program called sendmail:
// its options, the forms of its input, the exit codes of sysexits.h, and SMTP on
// standard input and output. What becomes of a message is package inject's.
//
// [Parse] reads a command line, which says what there is to do ([Mode]). The modes
// that take mail are [Command.Submit] and [Session]; for the others, main runs
// other programs.
//
// # Input
//
// A message is a header and a body, as package inject describes them. On the way
// in ([NewInput]) a line may end in LF, in CR LF, or in several CRs and LF; it
// leaves with LF. Unless option -i was given, a line of one dot ends the message,
// and one that begins with two dots loses one of them:
//
//	Subject: an example
//
//	..dot
//	.
//	this is not seen
//
// is a message whose body is the line ".dot".
package sendmail
