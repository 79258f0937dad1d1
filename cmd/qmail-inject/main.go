// Qmail-inject completes the header of a message and queues it. See
// qmail-inject(8).
package main

import (
	"os"
	"path/filepath"
	"time"

	"goqmail/inject"
	"goqmail/internal/exitcode"
	"goqmail/internal/getopt"
	"goqmail/internal/home"
	"goqmail/internal/qq"
)

func main() { exitcode.Main(run) }

func run() int {
	dir := home.Dir()
	in, err := inject.New(inject.Setup{Home: dir, Getenv: os.LookupEnv, Now: time.Now, PID: os.Getpid()})
	if err != nil {
		return fail(err)
	}
	p := getopt.New(os.Args[1:], "aAhHnNf:")
	print := false
	for opt := p.Next(); opt != 0; opt = p.Next() {
		switch opt {
		case 'a':
			in.Recipients = inject.Arguments
		case 'A':
			in.Recipients = inject.Either
		case 'h':
			in.Recipients = inject.Header
		case 'H':
			in.Recipients = inject.Both
		case 'n', 'N':
			print = opt == 'n'
		case 'f':
			if err := in.SetSender(p.Arg); err != nil {
				return fail(err)
			}
		default:
			return usage(p.Arg)
		}
	}
	if err := in.AddRecipients(p.Rest()); err != nil {
		return fail(err)
	}
	if print {
		err = in.Print(os.Stdin, os.Stdout)
	} else {
		err = in.Queue(os.Stdin, func() (inject.Queue, error) { return qq.SystemOnce(dir).Open() })
	}
	if err != nil {
		return fail(err)
	}
	return exitcode.OK
}

func fail(err error) int {
	text, code := inject.Report(err)
	os.Stderr.WriteString("qmail-inject: fatal: " + text)
	return code
}

func usage(letter string) int {
	problem := ": illegal option -- "
	if letter == "f" {
		problem = ": option requires an argument -- "
	}
	os.Stderr.WriteString(filepath.Base(os.Args[0]) + problem + letter + "\n")
	return exitcode.Hard
}
