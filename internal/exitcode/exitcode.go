// Package exitcode holds the tables of exit codes that the programs agree on,
// and the way every main function ends.
//
// Three tables are interface, each with one writer and one reader:
//
//   - qmail-command(8): what a program named in a .qmail file says to qmail-local
//     (see [Command]);
//   - qmail-queue(8): what qmail-queue says to whoever queues a message
//     (see [Queue]);
//   - [Start]: what a child of qmail-lspawn says before qmail-local runs.
//
// An exit code that is in no table is a temporary failure, except where a
// table's man page says otherwise.
package exitcode

import (
	"os"
	"runtime/debug"
)

// Codes with which a program of this system ends, whatever it does.
const (
	OK   = 0
	Hard = 100 // permanent failure, or wrong usage
	Soft = 111 // temporary failure
)

// Main runs a program and exits with the code that it returns.
//
// A Go program that panics exits with 2, which qmail-lspawn and qmail-rspawn of
// every qmail read as a permanent failure: they would bounce mail because of a
// bug. So from here on a panic in any goroutine, a deadlock and exhausted memory
// end the process by SIGABRT, which they read as a crash and try again later.
func Main(run func() int) {
	debug.SetTraceback("crash")
	end := profiled()
	code := run()
	end()
	os.Exit(code)
}
