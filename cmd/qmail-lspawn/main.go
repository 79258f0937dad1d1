// Qmail-lspawn does the local deliveries that it is asked for on descriptor 0, many
// at a time, and reports on descriptor 1. For each it finds the user in charge of
// the address, becomes that user and runs qmail-local, or what $QMAILLOCAL names
// in its place. Its argument is the default delivery. See qmail-lspawn(8).
package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fence"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/internal/spawn"
	"goqmail/users"
)

func main() { exitcode.Main(run) }

func run() int {
	dir, err := filepath.Abs(home.Dir())
	if err != nil || os.Chdir(dir) != nil {
		return exitcode.Soft
	}
	if _, err := os.Stat("queue/mess/."); err != nil {
		return exitcode.Soft
	}
	if len(os.Args) < 2 {
		return exitcode.Hard
	}
	slots := spawn.SlotsFor(os.Getenv(spawn.SlotsVariable))
	within := fence.Of("qmail-lspawn", "queue", os.Getenv(fence.Variable), os.Stderr)
	os.Unsetenv(spawn.SlotsVariable) // they are not for the programs that this one starts
	os.Unsetenv(fence.Variable)
	spawn.ReserveThreads()
	// It ends when qmail-send does, not by signals that the whole group gets.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGINT, syscall.SIGTERM)
	uid, env := os.Getuid(), os.Environ()
	trusted, err := spawn.Owners(ids.System, dir, uid)
	if err != nil {
		os.Stderr.WriteString("qmail-lspawn: fatal: " + err.Error() + "\n")
		return exitcode.Soft
	}
	getpw := spawn.Getpw{Path: "bin/qmail-getpw", Env: env, Limit: 2 * time.Minute}
	if uid == 0 {
		getpw.Credential = func() (*syscall.Credential, error) { return spawn.GetpwUser(ids.System) }
	}
	remember := &spawn.Remember{Getpw: getpw.Run, Age: time.Second, Now: time.Now}
	finder := users.Finder{Table: "users/cdb", Getpw: remember.Run}
	local := spawn.Local{
		Program: spawn.InPlaceOf(spawn.Program{Name: "bin/qmail-local", Path: "bin/qmail-local"}, os.Getenv("QMAILLOCAL"), os.Getenv("PATH")),
		Env:     env,
		Default: os.Args[1],
		Find: func(local string) (spawn.User, error) {
			u, err := finder.Find(local)
			return spawn.User(u), err
		},
		UID: uint32(uid),
	}
	if os.Getenv("QMAILLOCAL") == "" {
		local.Staying = &spawn.Staying{
			Program: local.Program, Env: env,
			Most: 32, Each: 200, Idle: 10 * time.Second, Hello: 10 * time.Second,
		}
	}
	server := spawn.Server{Slots: slots, Messages: "queue/mess", Fence: within, Trusted: trusted, Deliver: local.Deliver}
	if server.Serve(os.Stdin, os.Stdout) != nil {
		return exitcode.Soft
	}
	return exitcode.OK
}
