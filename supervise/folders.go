package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// names are the supervisors that are known.
var names = []string{"daemontools", "runit", "s6", "systemd"}

// tools are the programs of a supervisor that watches a folder of services.
type tools struct {
	do    map[action][]string // the folder of the service follows
	state []string
	// isUp reads what the latter prints.
	isUp func(text string) bool
}

var daemontools = tools{
	do: map[action][]string{
		up: {"svc", "-u"}, down: {"svc", "-d"}, alarm: {"svc", "-a"},
		hangUp: {"svc", "-h"}, pause: {"svc", "-p"}, proceed: {"svc", "-c"},
	},
	state: []string{"svstat"},
	isUp:  func(text string) bool { return strings.Contains(text, ": up (pid ") },
}

var runit = tools{
	do: map[action][]string{
		up: {"sv", "up"}, down: {"sv", "down"}, alarm: {"sv", "alarm"},
		hangUp: {"sv", "hup"}, pause: {"sv", "pause"}, proceed: {"sv", "cont"},
	},
	state: []string{"sv", "status"},
	// The log follows in the same line; a service that is about to end is "run" too.
	isUp: func(text string) bool { return !strings.HasPrefix(text, "down: ") },
}

var s6 = tools{
	do: map[action][]string{
		up: {"s6-svc", "-u"}, down: {"s6-svc", "-d"}, alarm: {"s6-svc", "-a"},
		hangUp: {"s6-svc", "-h"}, pause: {"s6-svc", "-p"}, proceed: {"s6-svc", "-c"},
	},
	state: []string{"s6-svstat"},
	isUp:  func(text string) bool { return strings.HasPrefix(text, "up ") },
}

// scanned is a folder of services below one of these.
type scanned struct {
	*Tool
	folder string
	tools  tools
}

func (s scanned) services(wanted []string) ([]string, error) {
	if len(wanted) > 0 {
		all := make([]string, 0, len(wanted))
		for _, name := range wanted {
			dir := filepath.Join(s.folder, serviceName(name))
			if !isService(dir) {
				return nil, fmt.Errorf("there is no service %s in %s", serviceName(name), s.folder)
			}
			all = append(all, dir)
		}
		return all, nil
	}
	found, err := filepath.Glob(filepath.Join(escape(s.folder), "qmail-*"))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(dir string) bool { return !isService(dir) })
	slices.SortStableFunc(found, func(a, b string) int { return rank(a) - rank(b) })
	return found, nil
}

// escape makes a pattern that stands for a name.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// rank puts qmail-send first.
func rank(service string) int {
	if filepath.Base(service) == sendService {
		return 0
	}
	return 1
}

const sendService = "qmail-send"

// serviceName is the name of a service that may be called smtpd for short.
func serviceName(name string) string {
	name = strings.TrimSuffix(filepath.Base(name), "/")
	return "qmail-" + strings.TrimPrefix(strings.TrimPrefix(name, "go"), "qmail-")
}

func isService(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "run"))
	return err == nil
}

func (s scanned) act(a action, services []string) error {
	for _, service := range services {
		if err := s.must(append(slices.Clone(s.tools.do[a]), service)...); err != nil {
			return err
		}
	}
	return nil
}

func (s scanned) state(service string) (string, bool, error) {
	// What it exits with is less than what it says.
	text, _, err := s.output(append(slices.Clone(s.tools.state), service)...)
	if err != nil {
		return "", false, err
	}
	running := s.tools.isUp(text)
	if s.tools.state[0] == "s6-svstat" {
		text = service + ": " + text // it does not say whose
	}
	return text, running, nil
}

// errNotWatched means that nothing looks after a service.
var errNotWatched = errors.New("nothing looks after it")

// kind tells which supervisor has a service, from the folder supervise that each of
// them makes in it, and which of them differ in.
func kind(service string) (string, error) {
	supervise := filepath.Join(service, "supervise")
	fifo := filepath.Join(supervise, "ok")
	what := "daemontools"
	switch {
	case missing(fifo):
		fifo, what = filepath.Join(supervise, "control"), "s6"
	case !missing(filepath.Join(supervise, "stat")):
		what = "runit"
	}
	// Whoever looks after it reads from the FIFO.
	file, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	switch {
	case err == nil:
		return what, file.Close()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENXIO):
		return "", errNotWatched
	}
	return "", err
}

// missing reports whether there is no such file. One that cannot be looked at is
// there, so that the error is met again.
func missing(name string) bool {
	_, err := os.Lstat(name)
	return errors.Is(err, fs.ErrNotExist)
}
