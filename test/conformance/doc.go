// Package conformance replays recorded runs of the programs of a working qmail
// on any build of them, and says what differs. The recordings, in the folder
// cases, are what this project means by compatible.
//
// # File format
//
// A file holds a JSON array of cases (see [Case] for the fields). Its name
// without .json, a slash and the name of the case name the case everywhere:
// local-mailbox/maildir-adds-nothing. A case says what one program is given
// (prog, args, env, stdin, and the files around it) or what is done to a queue
// (steps), and under want everything that came out. For example
//
//	[{"name": "no-arguments", "prog": "condredirect", "want": {"exit": 100,
//	  "stderr": "condredirect: usage: condredirect newaddress program arg ...\n"}}]
//
// In byte strings a character U+0000 to U+00FF stands for one byte; a character
// above that is an error, as is an unknown field. {dir}, {home} and {port} in what
// a program is given are replaced by the working folder, the qmail home and the
// port of the scripted server. What differs from run to run is replaced before
// results are compared: {date}, {pid}, {unique}, {id} and the like.
//
// Prog is a program of the build, or sh for a shell line with the programs first
// in PATH. The qmail home, made for each case, is named to the programs by
// $QMAILHOME, and $QMAILQUEUE names a program that stands in for qmail-queue
// and keeps what it is given. A case made of steps runs the real qmail-queue,
// qmail-send and qmail-clean; the spawners are played here.
//
// # Verdicts
//
// A case whose program is not in the build, or whose needs command fails, is
// skipped. One that is listed in the file of differences (a line each: the name
// of the case, a blank, the reason; # begins a comment) must differ: it fails
// if it passes.
package conformance
