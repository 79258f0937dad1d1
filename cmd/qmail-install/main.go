// Qmail-install installs the system on this host, or below another folder, or takes
// it away. See qmail-install(8).
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"goqmail/install"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/hostname"
	"goqmail/internal/ids"
	"goqmail/internal/version"
)

func main() { exitcode.Main(run) }

func run() int {
	s := install.System{Home: home.Built, Accounts: ids.System, Table: "/etc/aliases", Run: command, Look: exec.LookPath, Out: os.Stdout}
	flags := flag.NewFlagSet("qmail-install", flag.ContinueOnError)
	flags.StringVar(&s.Bin, "bin", "", "`folder` of the new programs")
	flags.StringVar(&s.Man, "man", "", "`folder` of the new manual pages")
	flags.StringVar(&s.ManDir, "mandir", "", "`folder` that manual pages go to (default man in the home)")
	flags.StringVar(&s.Packaging, "packaging", "", "`folder` of units, run scripts and completions")
	flags.StringVar(&s.Prefix, "prefix", "/usr/local", "`folder` that these go below")
	flags.StringVar(&s.Dest, "dest", "", "`folder` to install below, for a package")
	flags.StringVar(&s.Name, "name", hostname.System.Name(), "`name` of this host, for its first settings")
	flags.BoolVar(&s.Mailer, "mailer", true, "be the host's sendmail")
	built := flags.String("home", home.Built, "`home` that the programs must have been built for")
	remove := flags.Bool("remove", false, "take away programs and links; mail, queue and settings stay")
	if version.Answer(os.Args[1:], "qmail-install", version.Usage(flags, ""), os.Stdout) {
		return exitcode.OK
	}
	if len(os.Args) < 2 { // whoever wants to know what it does must not be surprised
		io.WriteString(os.Stderr, version.Usage(flags, ""))
		return exitcode.Hard
	}
	if flags.Parse(os.Args[1:]) != nil || flags.NArg() > 0 {
		return exitcode.Hard
	}
	s.Owners = s.Dest == ""
	if *built != home.Built {
		fmt.Fprintf(os.Stderr, "qmail-install: fatal: these programs were built for %s, not for %s\n", home.Built, *built)
		return exitcode.Hard
	}
	if s.Owners && os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "qmail-install: fatal: only root can install the system (or -dest, for a package; qmail-try(1) needs no root)")
		return exitcode.Hard
	}
	syscall.Umask(0o022)
	do := s.Install
	if *remove {
		do = s.Remove
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "qmail-install: fatal:", err)
		return exitcode.Soft
	}
	s.Left(*remove)
	return exitcode.OK
}

// command runs a program of the host, and tells what it is if it fails.
func command(argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%q: %w", argv, err)
	}
	return nil
}
