// Package supervise starts, stops and signals the system through whatever looks
// after it: systemd, daemontools, runit or s6. It runs their own programs, svc for
// one, and knows their folders only as far as it takes to tell them apart.
//
// # Services
//
// Below daemontools, runit and s6 the services are the folders qmail-* in the folder
// that svscan, runsvdir or s6-svscan watches, with qmail-send among them. Below
// systemd they are the units goqmail.service, which is qmail-send, and goqmail-*.
package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Tool carries out the commands of qmailctl(8).
type Tool struct {
	Home   string // of the system
	Root   string // of the host's files: "/"
	Out    *os.File
	Errors io.Writer

	Supervisor string        // one of those in Usage; empty: whichever has the system
	Folder     string        // of services; empty: looked for
	First      string        // where to look for them first, if not empty
	Limit      time.Duration // how long to wait for a service to come up, or to end

	// Run runs a program, found in PATH, and returns its exit code.
	Run func(argv []string, stdin, stdout *os.File) (code int, err error)
	// Holder returns the process id of the qmail-send that has the queue.
	Holder func() (pid int, err error)
	// Kill sends a signal, by its name without SIG, to a process.
	Kill  func(pid int, signal string) error
	Now   func() time.Time
	Sleep func(time.Duration)
}

// action is what can be done with a service.
type action int

const (
	up action = iota
	down
	alarm // ALRM: try all mail now
	hangUp
	pause
	proceed
)

// supervisor is what looks after services.
type supervisor interface {
	// services lists those there are, qmail-send first. With names, those.
	services(names []string) ([]string, error)
	// act does something with services, all at once or one after the other.
	act(a action, services []string) error
	// state says how a service is, in the words of the supervisor.
	state(service string) (text string, running bool, err error)
}

// unsettled is how long to wait before looking again whether a service is up.
const unsettled = 50 * time.Millisecond

// settle waits until services are up, or down.
func (t *Tool) settle(s supervisor, services []string, wantUp bool) error {
	deadline := t.Now().Add(t.Limit)
	for _, service := range services {
		for {
			text, running, err := s.state(service)
			if err != nil {
				return err
			}
			if running == wantUp || t.Limit == 0 {
				break
			}
			if !t.Now().Before(deadline) {
				return fmt.Errorf("after %v it is still so: %s", t.Limit, strings.TrimSpace(text))
			}
			t.Sleep(unsettled)
		}
	}
	return nil
}

// must runs a program that has to succeed, and shows what it prints.
func (t *Tool) must(argv ...string) error {
	code, err := t.Run(argv, nil, t.Out)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s has failed: exit code %d", strings.Join(argv, " "), code)
	}
	return err
}

// output runs a program and returns what it prints.
func (t *Tool) output(argv ...string) (text string, code int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	printed := make(chan []byte)
	go func() {
		var all bytes.Buffer
		io.Copy(&all, io.LimitReader(r, mostOutput))
		io.Copy(io.Discard, r) // or it would wait for us
		printed <- all.Bytes()
	}()
	code, err = t.Run(argv, nil, w)
	err = errors.Join(err, w.Close())
	return string(<-printed), code, err
}

// mostOutput is more than a supervisor has to say of a service.
const mostOutput = 1 << 20
