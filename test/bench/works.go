package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// work is a load that systems are given.
type work struct {
	name, title string
	unit        string // of what is counted each second
	peers       bool   // peers without VERP can be given it
	run         func(r *round) error
}

// works, in the order of the table in doc/performance.md. Those that leave mail in
// the queue are the last.
var works = []work{
	{"idle", "memory of all daemons, idle", "", true, idle},
	{"local", "SMTP in over 10 connections, to maildirs of 10 users", "messages", true, smtpToMaildir},
	{"relay", "SMTP in over 10 connections, SMTP out", "messages", true, smtpToSMTP},
	{"sendmail", "sendmail -i, 4 at a time, to a maildir", "messages", true, sendmailToMaildir},
	{"verp", "one message to a list in 200 domains, VERP", "recipients", false, listWithVERP},
	{"list", "one message to a list in 200 domains, no VERP", "recipients", true, list},
	{"alive", "200 domains, all of which answer", "messages", true, domains},
	{"dead", "200 domains of which 20 never answer; those to the other 180", "messages", true, deadDomains},
	{"atonce", "many remote deliveries at once, each answered after 1 s", "deliveries", false, atOnce},
}

func workOf(name string) (work, bool) {
	for _, w := range works {
		if w.name == name {
			return w, true
		}
	}
	return work{}, false
}

// round is one system on its host, and what is around it.
type round struct {
	*host
	system system
	boxes  *arrivals
	sink   *sink // all domains but those in dead.test
	dead   *sink
	sample func(work, metric string, value float64)
	work   work
}

// limit is how long a load may take until the system is given up.
func (r *round) limit() time.Duration {
	return time.Minute + 50*time.Millisecond*time.Duration(r.Messages+r.AtOnce)
}

// timed measures a load: what starts it, and what waits for its end.
func (r *round) timed(messages, count int, load, wait func() error) error {
	r.settle()
	stop := func() (calls, error) { return nil, nil }
	if r.Trace {
		var err error
		if stop, err = r.trace(); err != nil {
			return err
		}
	}
	before, err := r.processorTime()
	if err != nil {
		return err
	}
	start := time.Now()
	loaded := make(chan error, 1)
	go func() { loaded <- load() }()
	if err := errors.Join(wait(), <-loaded); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	r.settle()
	after, err := r.processorTime()
	if err != nil {
		return err
	}
	done, err := stop()
	if err != nil {
		return err
	}
	if !r.Trace {
		r.sample(r.work.name, "rate", float64(count)/seconds)
		r.sample(r.work.name, "cpu", (after-before).Seconds()*1000/float64(count))
		return nil
	}
	all, syncs := done.total()
	r.sample(r.work.name, "calls", float64(all)/float64(count))
	r.sample(r.work.name, "syncs", float64(syncs)/float64(count))
	fmt.Fprintf(os.Stderr, "%s, %s: %s\n", r.System, r.work.name, done.most(12, count))
	return nil
}

func idle(r *round) error {
	time.Sleep(2 * time.Second)
	r.sample("idle", "memory", r.memory())
	return nil
}

const from = "bench@from.test"

func smtpToMaildir(r *round) error {
	return r.timed(r.Messages, r.Messages, func() error {
		return submit(server, 10, r.Messages, func(i int) envelope {
			return envelope{from, []string{fmt.Sprintf("u%d@here.test", i%users)}}
		})
	}, func() error { return await(r.boxes.arrived, r.Messages, r.limit()) })
}

func smtpToSMTP(r *round) error {
	return r.timed(r.Messages, r.Messages, func() error {
		return submit(server, 10, r.Messages, func(i int) envelope {
			return envelope{from, []string{fmt.Sprintf("r%d@there.test", i)}}
		})
	}, func() error { return r.sink.wait(r.Messages, r.limit()) })
}

// sendmailToMaildir has root send, as every system lets root.
func sendmailToMaildir(r *round) error {
	const atATime = 4
	message := strings.ReplaceAll(text, "\r\n", "\n")
	return r.timed(r.Messages, r.Messages, func() error {
		next := make(chan struct{}, r.Messages)
		for range r.Messages {
			next <- struct{}{}
		}
		close(next)
		errs := make(chan error, atATime)
		var wg sync.WaitGroup
		for range atATime {
			wg.Go(func() {
				for range next {
					cmd := r.command(r.system.sendmail, "-i", "u0@here.test")
					if r.Trace {
						cmd = r.traced(cmd)
					}
					cmd.Stdin = strings.NewReader(message)
					if err := cmd.Run(); err != nil {
						errs <- fmt.Errorf("%s: %w", cmd, err)
						return
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		return <-errs
	}, func() error { return await(r.boxes.arrived, r.Messages, r.limit()) })
}

// listOf are so many recipients in 200 domains.
func listOf(count int) (to []string) {
	for i := range count {
		to = append(to, fmt.Sprintf("r%d@d%d.list.test", i, i%200))
	}
	return to
}

// listWithVERP gives the message to qmail-queue, which takes such senders.
func listWithVERP(r *round) error {
	to := listOf(r.Recipients)
	return r.timed(1, len(to), func() error { return r.queue("list-@here.test-@[]", to) },
		func() error { return r.sink.wait(len(to), r.limit()) })
}

// queue gives a message to qmail-queue.
func (r *round) queue(sender string, to []string) error {
	envelope, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer envelope.Close()
	cmd := r.command("/var/qmail/bin/qmail-queue")
	cmd.Stdin, cmd.Stdout = strings.NewReader(strings.ReplaceAll(text, "\r\n", "\n")), envelope
	go func() {
		defer in.Close()
		fmt.Fprintf(in, "F%s\x00T%s\x00\x00", sender, strings.Join(to, "\x00T"))
	}()
	return cmd.Run()
}

func list(r *round) error {
	to := listOf(r.Recipients)
	return r.timed(1, len(to), func() error {
		return submit(server, 1, 1, func(int) envelope { return envelope{from, to} })
	}, func() error { return r.sink.wait(len(to), r.limit()) })
}

func domains(r *round) error { return r.toDomains(false) }

func deadDomains(r *round) error { return r.toDomains(true) }

// toDomains measures the rate of messages to 180 domains beside those to 20 others,
// whose host answers, or takes connections and says nothing.
func (r *round) toDomains(dead bool) error {
	r.dead.silent.Store(dead)
	defer r.dead.silent.Store(false)
	good := 0
	for i := range r.Messages {
		if i%10 != 0 {
			good++
		}
	}
	return r.timed(r.Messages, good, func() error {
		return submit(server, 10, r.Messages, func(i int) envelope {
			if i%10 == 0 {
				return envelope{from, []string{fmt.Sprintf("r@d%d.dead.test", i%200)}}
			}
			return envelope{from, []string{fmt.Sprintf("r@d%d.list.test", i%200)}}
		})
	}, func() error { return r.sink.wait(good, r.limit()) })
}

// atOnce measures memory while so many deliveries wait for their answer.
func atOnce(r *round) error {
	if r.AtOnce == 0 {
		return nil
	}
	r.sink.delay.Store(int64(time.Second))
	defer r.sink.delay.Store(0)
	r.sink.peak.Store(0)
	over := make(chan struct{})
	peak := make(chan float64)
	go func() {
		most := 0.0
		for {
			select {
			case <-over:
				peak <- most
				return
			case <-time.After(250 * time.Millisecond):
				most = max(most, r.memory())
			}
		}
	}()
	to := listOf(3 * r.AtOnce)
	err := r.timed(1, len(to), func() error { return r.queue("list-@here.test-@[]", to) },
		func() error { return r.sink.wait(len(to), r.limit()) })
	close(over)
	r.sample("atonce", "memory", <-peak)
	r.sample("atonce", "peak", float64(r.sink.peak.Load()))
	return err
}
