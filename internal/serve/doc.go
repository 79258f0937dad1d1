// Package serve lets a program that usually runs once for each piece of work stay
// and do many: qmail-local and qmail-remote for the spawners, qmail-queue for all
// who queue mail. The open descriptors of a piece of work travel over a Unix socket,
// the arguments beside them; the exit code and the output come back.
//
// # File format
//
// The socket is of type SOCK_SEQPACKET, so that packets have bounds. The process
// that stays begins with a hello:
//
//	serve 2 DEVICE INODE
//
// DEVICE and INODE, in decimal, name the program that it runs. Whoever has started
// it compares them with those of the file: a wrapper in the program's place that
// runs the real one answers with another file's, or not at all, and then the program
// is run once for each piece of work, as ever. Requests and answers follow, in any
// order, joined by a number that the asking end chooses:
//
//	request  number (4 bytes, the highest first)  argument·  argument·  ...
//	answer   number (4 bytes)  code (1 byte)  text
//
// where · is a NUL. The code is the program's exit code, or [Once]: the program has
// done nothing and has to be run for this piece of work alone. For example, with the
// message as descriptor:
//
//	00 00 00 07  kim·/home/kim·kim-list·-·list·test.example··./Maildir/·
//	00 00 00 07  00  did 1+0+0⏎
//
// A process that can do many pieces of work by one request says so at the end of its
// hello, in the word many. They have numbers in a row, and descriptors in common;
// which of the arguments belong to which of them is up to the program. The answers
// come as they are done, many in one packet if they come fast:
//
//	request  00 00 00 00  first number (4 bytes)  count (4 bytes)  argument·  argument·  ...
//	answer   00 00 00 00  then for each: number (4 bytes)  code (1 byte)  length (4 bytes)  text
//
// Such an answer without any says that the process is about to end: what is asked for
// within a second is still done. The requests of a qmail-queue that stays are one text
// in place of arguments, see package qq.
//
// A packet has at most [MaxPacket] bytes; longer requests are not sent. The end of
// the connection ends the process, once it has done what it was asked for.
package serve
