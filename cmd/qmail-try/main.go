// Qmail-try runs the whole system in the foreground, in a private home, for an
// ordinary user who wants to see it work. See qmail-try(1).
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"syscall"

	"goqmail/internal/exitcode"
	"goqmail/internal/privatehome"
	"goqmail/internal/smtpsink"
	"goqmail/internal/version"
	"goqmail/queue"
)

func main() { exitcode.Main(run) }

func run() int {
	flags := flag.NewFlagSet("qmail-try", flag.ContinueOnError)
	dir := flags.String("home", "run/home", "`folder` of the private home; made if it is not there")
	bin := flags.String("bin", besideMe(), "`folder` of the programs")
	port := flags.String("port", "2525", "`port` of the remote host that is played")
	if version.Answer(os.Args[1:], "qmail-try", version.Usage(flags, ""), os.Stdout) {
		return exitcode.OK
	}
	if flags.Parse(os.Args[1:]) != nil || flags.NArg() > 0 {
		return exitcode.Hard
	}
	home, err := prepare(*dir, *bin)
	if err == nil && os.Geteuid() == 0 {
		return asNobody(home)
	}
	if err == nil {
		err = try(home, *port)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "qmail-try: fatal:", err)
		return exitcode.Soft
	}
	return exitcode.OK
}

// besideMe is the folder of this program.
func besideMe() string {
	self, err := os.Executable()
	if err != nil {
		return "bin"
	}
	return filepath.Dir(self)
}

// userVariable hands the name of who typed the command to the run as nobody.
const userVariable = "QMAILTRYUSER"

func prepare(dir, bin string) (privatehome.Home, error) {
	h := privatehome.Home{UID: os.Getuid(), GID: os.Getgid()}
	var err error
	if h.Dir, err = filepath.Abs(dir); err != nil {
		return h, err
	}
	if h.Bin, err = filepath.Abs(bin); err != nil {
		return h, err
	}
	name := os.Getenv(userVariable)
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	h.User = privatehome.UserName(name)
	return h, nil
}

// try runs the system until it is interrupted.
func try(home privatehome.Home, port string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := home.Make(); err != nil {
		return err
	}
	lock, err := queue.Lock(filepath.Join(home.Dir, "queue"))
	if err != nil {
		return fmt.Errorf("%s: %w: is it running already?", home.Dir, err)
	}
	lock.Close() // it is for qmail-send
	sink, err := startSink(ctx, home, port)
	if err != nil {
		return err
	}
	if err := home.Relay(sink); err != nil {
		return err
	}
	system, err := startSystem(home)
	if err != nil {
		return err
	}
	fmt.Print(welcome(home))
	go func() {
		<-ctx.Done()
		fmt.Println("\nqmail-try: finishing what is under way")
		system.Signal(syscall.SIGTERM)
	}()
	state, err := system.Wait()
	if err != nil {
		return err
	}
	if !state.Success() {
		return fmt.Errorf("qmail-send has ended: %v", state)
	}
	fmt.Println("qmail-try: stopped; run it again, and the queue is as it was")
	return nil
}

// startSink plays the remote host, on the port or, if that is taken, another one.
func startSink(ctx context.Context, home privatehome.Home, port string) (address string, err error) {
	maildir, err := smtpsink.NewMaildir(sinkMailbox(home))
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	printer := &smtpsink.Printer{Out: os.Stdout, Err: os.Stderr, Maildir: maildir}
	go (&smtpsink.Server{Deliver: printer.Deliver}).Serve(ctx, listener)
	return listener.Addr().String(), nil
}

func sinkMailbox(home privatehome.Home) string { return filepath.Join(home.Dir, "elsewhere") }

// startSystem starts qmail-start in a process group of its own, so that the
// terminal's interrupt does not hit the programs in the midst of their work.
func startSystem(home privatehome.Home) (*os.Process, error) {
	if err := os.Setenv("QMAILHOME", home.Dir); err != nil {
		return nil, err
	}
	// So that .qmail files find forward, preline and the like.
	if err := os.Setenv("PATH", home.Bin+":"+os.Getenv("PATH")); err != nil {
		return nil, err
	}
	program := filepath.Join(home.Bin, "qmail-start")
	return os.StartProcess(program, []string{"qmail-start", "./Maildir/"}, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{nil, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
}

func welcome(h privatehome.Home) string {
	inject := "QMAILHOME=" + h.Dir + " " + filepath.Join(h.Bin, "qmail-inject")
	return fmt.Sprintf(`Mail for %[1]s lands in %[2]s
The log of qmail-send follows; Ctrl-C stops everything. To send mail, paste into another terminal:

1. to yourself:
   printf 'To: %[1]s\nSubject: hello\n\nHello.\n' | %[3]s; sleep 1; cat %[2]s/new/*
2. to a user who does not exist, and read the bounce:
   printf 'To: nobody@%[4]s\nSubject: anybody?\n\nHello?\n' | %[3]s -f%[1]s; sleep 1; grep -h -A9 '^Hi. This is' %[2]s/new/*
3. to a remote host, which smtp-sink plays:
   printf 'To: friend@elsewhere.test\nSubject: far away\n\nHello.\n' | %[3]s; sleep 1; cat %[5]s/new/*

`, h.Address(), h.Mailbox(), inject, privatehome.Me, sinkMailbox(h))
}
