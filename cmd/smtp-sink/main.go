// Smtp-sink is an SMTP server that takes all mail, for trying things out. See
// smtp-sink(1).
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/smtpsink"
	"goqmail/internal/version"
)

func main() { exitcode.Main(run) }

// options are the command line.
type options struct {
	listen, maildir string
	delay           time.Duration
	size            int64
	refuse          smtpsink.Refusals
}

func run() int {
	var o options
	flags := flag.NewFlagSet("smtp-sink", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:2525", "`address` and port to listen on")
	flags.StringVar(&o.maildir, "maildir", "", "`folder` to put messages into")
	flags.DurationVar(&o.delay, "delay", 0, "`time` to wait before every reply")
	flags.Int64Var(&o.size, "size", 64<<20, "greatest size of a message in `bytes`")
	flags.Var(&o.refuse, "refuse", "`address=code` to answer to a recipient (again for more)")
	if version.Answer(os.Args[1:], "smtp-sink", version.Usage(flags, ""), os.Stdout) {
		return exitcode.OK
	}
	if flags.Parse(os.Args[1:]) != nil {
		return exitcode.Hard
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return exitcode.Hard
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := serve(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "smtp-sink: fatal:", err)
		return exitcode.Soft
	}
	return exitcode.OK
}

// serve takes mail until ctx ends.
func serve(ctx context.Context, o *options) error {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the reader of our lines may go
	printer := &smtpsink.Printer{Out: os.Stdout, Err: os.Stderr}
	if o.maildir != "" {
		maildir, err := smtpsink.NewMaildir(o.maildir)
		if err != nil {
			return err
		}
		printer.Maildir = maildir
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	fmt.Printf("smtp-sink: listening on %v\n", listener.Addr()) // tests wait for it
	server := &smtpsink.Server{MaxSize: o.size, Delay: o.delay, Refuse: o.refuse.Reply, Deliver: printer.Deliver}
	return server.Serve(ctx, listener)
}
