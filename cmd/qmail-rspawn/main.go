// Qmail-rspawn does the remote deliveries that it is asked for on descriptor 0, many
// at a time, and reports on descriptor 1. For each it runs qmail-remote, or what
// $QMAILREMOTE names in its place. See qmail-rspawn(8).
package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/internal/confine"
	"goqmail/internal/exitcode"
	"goqmail/internal/fence"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/internal/spawn"
)

func main() { exitcode.Main(run) }

func run() int {
	dir, err := filepath.Abs(home.Dir())
	// Compat: its programs are run in the folder of messages.
	if err != nil || os.Chdir(filepath.Join(dir, "queue/mess")) != nil {
		return exitcode.Soft
	}
	slots := spawn.SlotsFor(os.Getenv(spawn.SlotsVariable))
	within := fence.Of("qmail-rspawn", "..", os.Getenv(fence.Variable), os.Stderr)
	os.Unsetenv(spawn.SlotsVariable) // they are not for the programs that this one starts
	os.Unsetenv(fence.Variable)
	spawn.ReserveThreads()
	// It ends when qmail-send does, not by signals that the whole group gets.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGINT, syscall.SIGTERM)
	trusted, err := spawn.Owners(ids.System, dir, os.Getuid())
	if err != nil {
		os.Stderr.WriteString("qmail-rspawn: fatal: " + err.Error() + "\n")
		return exitcode.Soft
	}
	spawn.ForgetTimeouts("../lock/tcpto")
	usual := spawn.Program{Name: "qmail-remote", Path: filepath.Join(dir, "bin/qmail-remote")}
	remote := spawn.Remote{
		Program: spawn.InPlaceOf(usual, os.Getenv("QMAILREMOTE"), os.Getenv("PATH")),
		Env:     os.Environ(),
	}
	// Nobody knows what another program needs that is run in place of qmail-remote.
	if remote.Program == usual && confine.IsOurs(usual.Path, usual.Name) {
		confine.Rspawn(dir).Enter(dir, "qmail-rspawn", os.Stderr)
	}
	if remote.Program == usual {
		remote.Staying = &spawn.Staying{
			Program: usual, Env: remote.Env,
			Most: 1, Each: slots, Idle: time.Minute, Hello: 10 * time.Second,
		}
	}
	server := spawn.Server{Slots: slots, Messages: ".", Fence: within, Trusted: trusted, Deliver: remote.Deliver, Together: remote.Together}
	if server.Serve(os.Stdin, os.Stdout) != nil {
		return exitcode.Soft
	}
	return exitcode.OK
}
