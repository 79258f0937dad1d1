// Preline feeds a program the message with the lines From, Return-Path and
// Delivered-To in front. See preline(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"goqmail/internal/child"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/getopt"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the exit code counts, not the text
	var lines [3]string
	for i, name := range []string{"UFLINE", "RPLINE", "DTLINE"} {
		var ok bool
		if lines[i], ok = os.LookupEnv(name); !ok {
			return usage()
		}
	}
	wanted := [3]bool{true, true, true}
	options := getopt.New(os.Args[1:], "frdFRD")
	for letter := options.Next(); letter != 0; letter = options.Next() {
		i := strings.IndexByte("frdFRD", letter)
		if i < 0 {
			io.WriteString(os.Stderr, "preline: illegal option -- "+options.Arg+"\n")
			return usage()
		}
		wanted[i%3] = i >= 3
	}
	for i := range lines {
		if !wanted[i] {
			lines[i] = ""
		}
	}
	if len(options.Rest()) == 0 {
		return usage()
	}
	fed, err := child.Feed(options.Rest(), strings.Join(lines[:], ""), os.Stdin)
	if fed.Unread {
		err = child.Broken()
	}
	if err != nil {
		return fault.Fatal(os.Stderr, "preline", err)
	}
	return fed.Code
}

func usage() int {
	io.WriteString(os.Stderr, "preline: usage: preline cmd [ arg ... ]\n")
	return exitcode.Hard
}
