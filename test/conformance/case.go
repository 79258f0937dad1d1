package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Case is one recorded run.
type Case struct {
	Name  string `json:"name"`
	Why   string `json:"why"`   // what the case is about
	Needs string `json:"needs"` // shell command; where it fails, the host cannot run the case

	Prog     string           `json:"prog"`     // program of the build, or sh
	Args     []Bytes          `json:"args"`     //
	Env      map[string]Bytes `json:"env"`      // beside what every case gets
	Stdin    Bytes            `json:"stdin"`    //
	Ordinary bool             `json:"ordinary"` // run by an ordinary user, who owns the working folder, even if root runs the cases

	Home  map[string]Bytes  `json:"home"`  // files below the qmail home
	Files map[string]Bytes  `json:"files"` // files below the working folder; a name ending in / is a folder
	Modes map[string]string `json:"modes"` // octal modes of files below the working folder
	Ages  map[string]int    `json:"ages"`  // seconds since files below the working folder changed

	QueueExit int      `json:"queue_exit"` // exit code of the program that stands in for qmail-queue
	SMTP      []Server `json:"smtp"`       // scripted servers, one a connection, the last for good
	Steps     []Step   `json:"steps"`      // in place of prog

	Want *Want `json:"want"`

	area string
}

// ID is the name of the case with its area: local-mailbox/maildir-adds-nothing.
func (c *Case) ID() string { return c.area + "/" + c.Name }

// Want is what a run leaves.
type Want struct {
	Exit   int              `json:"exit"`
	Stdout Bytes            `json:"stdout"`
	Stderr Bytes            `json:"stderr"`
	Queued []Queued         `json:"queued"` // messages handed to the stand-in for qmail-queue, sorted
	Files  map[string]Bytes `json:"files"`  // new or changed, below the working folder
	Home   map[string]Bytes `json:"home"`   // new or changed, below the qmail home
	Gone   []string         `json:"gone"`   // names that were there before
	SMTP   []Bytes          `json:"smtp"`   // what each connection's server received

	Log        []string `json:"log"`        // lines of qmail-send, sorted, without status lines
	Deliveries []Bytes  `json:"deliveries"` // what the spawners were asked for, sorted
}

// Queued is one message handed to the queue.
type Queued struct {
	Envelope Bytes `json:"envelope"`
	Message  Bytes `json:"message"`
}

// Load reads the cases of several files, in order.
func Load(files ...string) ([]*Case, error) {
	var all []*Case
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		cases, err := parse(data, strings.TrimSuffix(filepath.Base(file), ".json"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, cases...)
	}
	return all, nil
}

func parse(data []byte, area string) ([]*Case, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var cases []*Case
	if err := dec.Decode(&cases); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, c := range cases {
		if err := c.check(); err != nil {
			return nil, err
		}
		if seen[c.Name] {
			return nil, fmt.Errorf("two cases are called %q", c.Name)
		}
		seen[c.Name] = true
		c.area = area
	}
	return cases, nil
}

func (c *Case) check() error {
	switch {
	case c == nil || c.Name == "":
		return fmt.Errorf("a case has no name")
	case c.Want == nil:
		return fmt.Errorf("%s: nothing is recorded", c.Name)
	case (c.Prog == "") == (c.Steps == nil):
		return fmt.Errorf("%s: wants either a program or steps", c.Name)
	}
	return nil
}

// ReadDifferences reads the file of cases that are meant to differ: the reason
// for each name.
func ReadDifferences(file string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || name[0] == '#' {
			continue
		}
		if reasons[name] = strings.TrimSpace(reason); reasons[name] == "" {
			return nil, fmt.Errorf("%s: no reason is given for %s", file, name)
		}
	}
	return reasons, nil
}
