package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"goqmail/internal/exitcode"
	"goqmail/internal/privatehome"
)

// nobody is the user that root's trial runs as: mail is never delivered as root.
const nobody = 65534

// asNobody runs this program again as nobody, in a home that belongs to nobody.
func asNobody(home privatehome.Home) int {
	state, err := runAsNobody(home)
	if err != nil {
		fmt.Fprintln(os.Stderr, "qmail-try: fatal:", err)
		return exitcode.Soft
	}
	return state.ExitCode()
}

func runAsNobody(home privatehome.Home) (*os.ProcessState, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{home.Dir, home.Bin, filepath.Dir(self)} {
		if err := reachable(dir); err != nil {
			return nil, err
		}
	}
	if err := giveHome(home.Dir); err != nil {
		return nil, err
	}
	fmt.Println("qmail-try: root is not delivered to: this runs as nobody")
	// The terminal interrupts the other one too, which stops, and then we do.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	p, err := os.StartProcess(self, os.Args, &os.ProcAttr{
		Env:   append(os.Environ(), userVariable+"="+home.User),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}},
	})
	if err != nil {
		return nil, err
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM {
				p.Signal(s)
			}
		}
	}()
	return p.Wait()
}

// reachable reports which folder on the way to dir shuts others out.
func reachable(dir string) error {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err == nil && st.Mode().Perm()&1 == 0 {
			return fmt.Errorf("run as an ordinary user, or from another folder: root's trial runs as nobody, who cannot enter %s", dir)
		}
	}
	return nil
}

// giveHome makes the home's folder and gives it to nobody.
func giveHome(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chown(dir, nobody, nobody)
}
