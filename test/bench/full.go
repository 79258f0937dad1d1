package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"goqmail/queue"
)

// Limits of what is done with a full queue.
const (
	fullBase  = 5000             // messages in a queue to compare with
	fullDrain = 15 * time.Second // how long a full queue is emptied
	fullLater = 6 * time.Hour    // when what is due later is due
	fullRead  = time.Minute      // how long qmail-send may take to read a million messages
)

// Rows of the table of a full queue, which are works to [figures].
const (
	rowNone    = "full: none"
	rowFew     = "full: few, due, cold start"
	rowReading = "full: due later, while it is read"
	rowCold    = "full: due later, cold start"
	rowWarm    = "full: due later, warm start"
	rowLater   = "full: due later"
	rowDueCold = "full: due, cold start"
	rowDueWarm = "full: due, warm start"
)

// full measures our system with so many messages in the queue, each step on a host
// of its own: with a file system of its own, the queue is cold at its beginning.
func (c *config) full(ctx context.Context, take func(sample)) error {
	steps := []string{"none", "few", "later", "due"}
	volume := c.volume
	if volume != "" {
		steps = []string{"delay", "later", "due"}
	} else {
		var err error
		if volume, err = makeVolume(c.scratch, c.inQueue); err != nil {
			return err
		}
		defer os.RemoveAll(volume)
	}
	scratch, err := c.folder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	o := order{System: systems[0].name, Bin: c.bin, Peers: c.peers, Scratch: scratch, Messages: c.messages, Limit: c.limit,
		Volume: volume, InQueue: c.inQueue, Split: c.split}
	for _, o.Step = range steps {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := measure(ctx, o, take); err != nil {
			return fmt.Errorf("full queue, step %s: %w", o.Step, err)
		}
	}
	return nil
}

// fullQueue is one step.
func (r *round) fullQueue() error {
	if err := errors.Join(os.MkdirAll("/var/qmail/queue", 0o755), bind("/mnt/queue", "/var/qmail/queue")); err != nil {
		return err
	}
	if r.Step == "none" {
		if err := queue.Make("/var/qmail/queue", r.Split); err != nil {
			return err
		}
	}
	if err := r.install(); err != nil {
		return err
	}
	p := &planter{folder: "/var/qmail/queue", mess: account("qmailq"), send: account("qmails")}
	step, ok := map[string]func(*planter) error{"none": r.fullNone, "few": r.fullFew, "delay": delay, "later": r.fullLater, "due": r.fullDue}[r.Step]
	if !ok {
		return fmt.Errorf("there is no step %q", r.Step)
	}
	return step(p)
}

// fullNone measures an empty queue, and then puts a few messages into it.
func (r *round) fullNone(p *planter) error {
	if err := r.startAnew(rowNone); err != nil {
		return err
	}
	if err := r.rate(rowNone); err != nil {
		return err
	}
	if err := r.stopAll(); err != nil {
		return err
	}
	p.due = time.Now()
	if err := p.plant(min(fullBase, r.InQueue)); err != nil {
		return err
	}
	syscall.Sync()
	return nil
}

// fullFew measures how these are delivered, and then fills the queue.
func (r *round) fullFew(p *planter) error {
	if err := r.drain(rowFew, min(fullBase, r.InQueue)); err != nil {
		return err
	}
	start := time.Now()
	p.due = start.Add(fullLater)
	if err := p.plant(r.InQueue); err != nil {
		return err
	}
	syscall.Sync()
	fmt.Fprintf(os.Stderr, "%d messages planted in %.0f s\n", r.InQueue, time.Since(start).Seconds())
	return nil
}

// delay takes the place of planting in a queue that is full already.
func delay(p *planter) error { return p.setDue(time.Now().Add(fullLater)) }

// fullLater measures new mail while all else waits, and then makes all due.
func (r *round) fullLater(p *planter) error {
	if err := r.startAnew(rowCold); err != nil {
		return err
	}
	over, peak := r.watchMemory()
	if err := r.rate(rowReading); err != nil {
		return err
	}
	r.settleIn(5*time.Second + fullRead*time.Duration(r.InQueue)/1000000)
	if err := r.rate(rowLater); err != nil {
		return err
	}
	close(over)
	r.sample(rowLater, "memory", <-peak)
	if err := r.stopAll(); err != nil {
		return err
	}
	if err := r.startAnew(rowWarm); err != nil {
		return err
	}
	if err := r.stopAll(); err != nil {
		return err
	}
	if err := p.setDue(time.Now()); err != nil {
		return err
	}
	syscall.Sync()
	return nil
}

// fullDue measures how the queue empties.
func (r *round) fullDue(*planter) error {
	for _, row := range []string{rowDueCold, rowDueWarm} {
		if err := r.drain(row, r.InQueue/4); err != nil {
			return err
		}
	}
	return nil
}

// drain has qmail-send, with spawners that say yes at once, end some messages.
func (r *round) drain(row string, count int) error {
	d, err := drain(r.as("qmails", "/var/qmail/bin/qmail-send"), r.as("qmailq", "/var/qmail/bin/qmail-clean"), count, fullDrain)
	if err != nil {
		return err
	}
	r.sample(row, "first", d.first.Seconds())
	r.sample(row, "ended", d.rate)
	r.sample(row, "memory", d.memory)
	return nil
}

// startAnew starts all of the system, and measures how long a new message takes from
// then on.
func (r *round) startAnew(row string) error {
	start := time.Now()
	if err := r.begin(); err != nil {
		return err
	}
	_, err := submit(server, 1, load{messages: 1}, func(int) envelope { return envelope{from, []string{"u0@here.test"}} })
	if err == nil {
		err = r.inMaildirs(1)
	}
	r.sample(row, "first", time.Since(start).Seconds())
	return err
}

// rate is that of new mail, from SMTP to maildirs.
func (r *round) rate(row string) error {
	r.work = work{name: row}
	return smtpToMaildir(r)
}

// stopAll ends all processes of the system.
func (r *round) stopAll() error {
	for range 300 {
		pids := r.processes()
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			kill(pid, syscall.SIGKILL)
		}
		reap()
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("the system does not end")
}

func kill(pid string, s syscall.Signal) {
	if n, err := strconv.Atoi(pid); err == nil {
		syscall.Kill(n, s)
	}
}

// reap takes note of children that have ended.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

func account(name string) owner {
	for _, a := range accounts {
		if a.name == name {
			return owner{a.uid, a.gid}
		}
	}
	return owner{}
}

// writeFull writes the table of a full queue.
func writeFull(w io.Writer, all figures, messages int) {
	columns := []struct{ metric, title string }{
		{"first", "first delivery after s"}, {"rate", "new mail, SMTP to maildir, a second"}, {"cpu", "processor ms each"},
		{"ended", "ended a second, spawners that say yes"}, {"memory", "memory MB"},
	}
	if _, ok := all.spread(systems[0].name, rowLater, "rate"); !ok {
		return
	}
	fmt.Fprintf(w, "\nfull: %d messages in the queue\n\n| |", messages)
	line := "\n| --- |"
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", c.title)
		line += " --- |"
	}
	fmt.Fprintln(w, line)
	for _, row := range []string{rowNone, rowFew, rowCold, rowReading, rowLater, rowWarm, rowDueCold, rowDueWarm} {
		fmt.Fprintf(w, "| %s |", row[len("full: "):])
		for _, c := range columns {
			cell := "-"
			if s, ok := all.spread(systems[0].name, row, c.metric); ok {
				cell = s.String()
			}
			fmt.Fprintf(w, " %s |", cell)
		}
		fmt.Fprintln(w)
	}
}
