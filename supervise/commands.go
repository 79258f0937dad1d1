package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/getopt"
)

// Usage is what a wrong command line is told, and help.
const Usage = `usage: qmailctl [-s supervisor] [-d folder] [-w seconds] command [service...]

  start     start the services
  stop      stop them: deliveries under way are waited for
  restart   stop and start
  reload    have qmail-send read its control files again (HUP); also: hup
  stat      show whether they run, and how many messages there are; also: status
  queue     show the messages in the queue
  flush     have everything in the queue tried now (ALRM); also: doqueue, alrm
  pause     have the services pause (STOP)
  cont      have them go on (CONT); also: continue
  cdb       make tables of the rules for tcpserver, in the files named or /etc/tcp.*
  help      show this

Services: send, smtpd, pop3d and so on; all if none is named.
-s is one of daemontools, runit, s6, systemd; -d, their folder of services.
`

// NotRunning is the exit code of stat if qmail-send does not run. It is that of the
// LSB for scripts of services.
const NotRunning = 3

// errUsage is a command line that says nothing.
var errUsage = errors.New("wrong usage")

// errDown means that qmail-send does not run.
var errDown = errors.New("qmail-send does not run")

// command is one of those in Usage.
type command struct {
	names []string
	run   func(t *Tool, args []string) error
}

var commands = []command{
	{[]string{"start"}, (*Tool).start},
	{[]string{"stop"}, (*Tool).stop},
	{[]string{"restart"}, func(t *Tool, args []string) error {
		if err := t.stop(args); err != nil {
			return err
		}
		return t.start(args)
	}},
	{[]string{"reload", "hup"}, func(t *Tool, args []string) error { return t.toSend(hangUp, args) }},
	{[]string{"stat", "status"}, (*Tool).stat},
	{[]string{"queue"}, (*Tool).queue},
	{[]string{"flush", "doqueue", "alrm"}, (*Tool).flush},
	{[]string{"pause"}, func(t *Tool, args []string) error { return t.each(pause, args) }},
	{[]string{"cont", "continue"}, func(t *Tool, args []string) error { return t.each(proceed, args) }},
	{[]string{"cdb"}, (*Tool).cdb},
	{[]string{"help"}, func(t *Tool, _ []string) error {
		_, err := io.WriteString(t.Out, Usage)
		return err
	}},
}

// Main carries out a command line and returns the exit code: 0; 100 for wrong usage;
// 111 if something could not be done; [NotRunning].
func (t *Tool) Main(args []string) int {
	err := t.obey(args)
	switch {
	case err == nil:
		return exitcode.OK
	case errors.Is(err, errUsage):
		io.WriteString(t.Errors, Usage)
		return exitcode.Hard
	}
	fmt.Fprintf(t.Errors, "qmailctl: %v\n", err)
	if errors.Is(err, errDown) {
		return NotRunning
	}
	return exitcode.Soft
}

func (t *Tool) obey(args []string) error {
	options := getopt.New(args, "d:s:w:")
	for letter := options.Next(); letter != 0; letter = options.Next() {
		switch letter {
		case 'd':
			t.Folder = options.Arg
		case 's':
			t.Supervisor = options.Arg
		case 'w':
			n, err := strconv.ParseUint(options.Arg, 10, 31)
			if err != nil {
				return errUsage
			}
			t.Limit = time.Duration(n) * time.Second
		default:
			return errUsage
		}
	}
	args = options.Rest()
	if len(args) == 0 || t.Supervisor != "" && !slices.Contains(names, t.Supervisor) {
		return errUsage
	}
	for _, c := range commands {
		if slices.Contains(c.names, args[0]) {
			return c.run(t, args[1:])
		}
	}
	return errUsage
}

// with finds the supervisor and the services that are meant.
func (t *Tool) with(names []string) (supervisor, []string, error) {
	s, err := t.find()
	if err != nil {
		return nil, nil, err
	}
	services, err := s.services(names)
	return s, services, err
}

func (t *Tool) each(a action, names []string) error {
	s, services, err := t.with(names)
	if err != nil {
		return err
	}
	return s.act(a, services)
}

// toSend is for signals that mean something to qmail-send alone.
func (t *Tool) toSend(a action, names []string) error {
	if len(names) > 0 {
		return errUsage
	}
	return t.each(a, []string{sendService})
}

func (t *Tool) start(names []string) error {
	s, services, err := t.with(names)
	if err != nil {
		return err
	}
	if err := s.act(up, services); err != nil {
		return err
	}
	if _, ok := s.(systemd); ok {
		return nil // it has waited, and services wait for connections
	}
	return t.settle(s, services, true)
}

func (t *Tool) stop(names []string) error {
	s, services, err := t.with(names)
	if err != nil {
		return err
	}
	slices.Reverse(services) // what takes mail, before what delivers it
	if err := s.act(down, services); err != nil {
		return err
	}
	return t.settle(s, services, false)
}

func (t *Tool) stat(names []string) error {
	s, services, err := t.with(names)
	if err != nil {
		return err
	}
	runs := true
	for _, service := range services {
		texts, running, err := t.withLog(s, service)
		if err != nil {
			return err
		}
		meant := isSend(service) || len(names) > 0
		if meant {
			runs = runs && running
		} else if _, ok := s.(systemd); ok && !running {
			continue // not everything that is installed is wanted
		}
		if _, err := io.WriteString(t.Out, texts); err != nil {
			return err
		}
	}
	err = t.program("qmail-qstat")
	if !runs {
		return errors.Join(errDown, err)
	}
	return err
}

func isSend(service string) bool {
	base := filepath.Base(service)
	return base == sendService || base+".service" == sendUnit
}

// withLog is the state of a service, and that of its log if there is one apart.
func (t *Tool) withLog(s supervisor, service string) (string, bool, error) {
	text, running, err := s.state(service)
	scanned, ok := s.(scanned)
	log := filepath.Join(service, "log")
	if err != nil || !ok || !isService(log) || strings.Contains(text, "; run: log: ") {
		return text, running, err
	}
	more, _, err := scanned.state(log)
	return text + more, running, err
}

// program runs a program of the system.
func (t *Tool) program(name string) error { return t.must(filepath.Join(t.Home, "bin", name)) }

func (t *Tool) queue(args []string) error {
	if len(args) > 0 {
		return errUsage
	}
	if err := t.program("qmail-qstat"); err != nil {
		return err
	}
	return t.program("qmail-qread")
}

// flush forgets which hosts could not be reached, too.
func (t *Tool) flush(names []string) error {
	if len(names) > 0 {
		return errUsage
	}
	if err := t.program("qmail-tcpok"); err != nil {
		return err
	}
	return t.toSend(alarm, nil)
}

// rules are the files that administrators keep the rules of tcpserver in.
var rules = []string{"smtp", "smtps", "smtpsd", "submission", "qmtp", "qmqp", "pop3", "pop3s", "imap"}

func (t *Tool) cdb(files []string) error {
	if len(files) == 0 {
		for _, name := range rules {
			if file := filepath.Join(t.Root, "etc/tcp."+name); !missing(file) {
				files = append(files, file)
			}
		}
		if len(files) == 0 {
			return errors.New("there is no file of rules such as /etc/tcp.smtp")
		}
	}
	for _, file := range files {
		if err := t.compile(file); err != nil {
			return err
		}
	}
	return nil
}

// compile makes the table FILE.cdb of a file of rules.
func (t *Tool) compile(file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	table := file + ".cdb"
	argv := []string{"tcprules", table, file + ".tmp"}
	code, err := t.Run(argv, in, t.Out)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("%s stays as it was: tcprules has failed: exit code %d", table, code)
	}
	if err := os.Chmod(table, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "%s: made\n", table)
	return err
}
