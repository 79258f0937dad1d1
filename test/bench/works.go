package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// work is a load that systems are given.
type work struct {
	name, title string
	unit        string // of what is counted each second
	of          whose
	run         func(r *round) error
}

// whose says which systems a work is given.
type whose int

const (
	everybody whose = iota
	qmails          // those that know qmail's VERP
	ours
)

func (w work) fits(s system) bool {
	if slices.Contains(s.without, w.name) {
		return false
	}
	return w.of == everybody || w.of == qmails && s.qmail || s.name == systems[0].name
}

// works, in the order of the table in doc/performance.md. Those that leave mail in
// the queue are the last.
var works = []work{
	{"idle", "memory of all daemons, idle", "", everybody, idle},
	{"local", "SMTP in over 10 connections, to maildirs of 10 users", "messages", everybody, smtpToMaildir},
	{"relay", "SMTP in over 10 connections, SMTP out", "messages", everybody, smtpToSMTP},
	{"sendmail", "sendmail -i, 4 at a time, to a maildir", "messages", everybody, sendmailToMaildir},
	{"verp", "one message to a list in 200 domains, VERP", "recipients", qmails, listWithVERP},
	{"list", "one message to a list in 200 domains, no VERP", "recipients", everybody, list},
	{"alive", "200 domains, all of which answer", "messages", ours, domains},
	{"dead", "200 domains of which 20 never answer; those to the other 180", "messages", ours, deadDomains},
	{"atonce", "many remote deliveries at once, each answered after 1 s", "deliveries", ours, atOnce},
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

// patience is how long it may take after a load until all of it has arrived.
func (r *round) patience() time.Duration {
	return time.Minute + 50*time.Millisecond*time.Duration(r.Messages+r.ToDomains+r.AtOnce)
}

// timed measures a load: what submits it, and says of how many messages or recipients
// it is, and what waits for so many to arrive.
func (r *round) timed(submit func() (int, error), wait func(count int) error) error {
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
	count, err := submit()
	if err != nil {
		return err
	}
	if err := wait(count); err != nil {
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
	return r.timed(func() (int, error) {
		return submit(server, 10, r.load(), func(i int) envelope {
			return envelope{from, []string{fmt.Sprintf("u%d@here.test", i%users)}}
		})
	}, r.inMaildirs)
}

// load is that of works that take messages one by one.
func (r *round) load() load { return load{r.Messages, r.Limit} }

func (r *round) inMaildirs(count int) error { return await(r.boxes.arrived, count, r.patience()) }

func (r *round) inSink(count int) error { return r.sink.wait(count, r.patience()) }

func smtpToSMTP(r *round) error {
	return r.timed(func() (int, error) {
		return submit(server, 10, r.load(), func(i int) envelope {
			return envelope{from, []string{fmt.Sprintf("r%d@there.test", i)}}
		})
	}, r.inSink)
}

// sendmailToMaildir has root send, as every system lets root.
func sendmailToMaildir(r *round) error {
	const atATime = 4
	message := strings.ReplaceAll(text, "\r\n", "\n")
	return r.timed(func() (int, error) {
		var next, sent atomic.Int64
		more := r.load().next()
		errs := make(chan error, atATime)
		var wg sync.WaitGroup
		for range atATime {
			wg.Go(func() {
				for more(int(next.Add(1) - 1)) {
					sent.Add(1)
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
		return int(sent.Load()), <-errs
	}, r.inMaildirs)
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
	return r.timed(func() (int, error) { return len(to), r.queue("list-@here.test-@[]", to) }, r.inSink)
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
	return r.timed(func() (int, error) {
		_, err := submit(server, 1, load{messages: 1}, func(int) envelope { return envelope{from, to} })
		return len(to), err
	}, r.inSink)
}

func domains(r *round) error { return r.toDomains(false) }

func deadDomains(r *round) error { return r.toDomains(true) }

// toDomains measures the rate of messages to 180 domains beside those to 20 others,
// whose host answers, or takes connections and says nothing.
func (r *round) toDomains(dead bool) error {
	r.dead.silent.Store(dead)
	defer r.dead.silent.Store(false)
	return r.timed(func() (int, error) {
		sent, err := submit(server, 10, load{messages: r.ToDomains}, func(i int) envelope {
			if i%10 == 0 {
				return envelope{from, []string{fmt.Sprintf("r@d%d.dead.test", i%200)}}
			}
			return envelope{from, []string{fmt.Sprintf("r@d%d.list.test", i%200)}}
		})
		return sent - (sent+9)/10, err
	}, r.inSink)
}

// atOnce measures memory while so many deliveries wait for their answer.
func atOnce(r *round) error {
	if r.AtOnce == 0 {
		return nil
	}
	r.sink.delay.Store(int64(time.Second))
	defer r.sink.delay.Store(0)
	over, peak := r.watchMemory()
	to := listOf(3 * r.AtOnce)
	err := r.timed(func() (int, error) { return len(to), r.queue("list-@here.test-@[]", to) }, r.inSink)
	close(over)
	r.sample("atonce", "memory", <-peak)
	if err != nil {
		return err
	}
	log, err := os.ReadFile("/var/log/system")
	r.sample("atonce", "peak", float64(mostAtOnce(string(log))))
	return err
}

// mostAtOnce is how many remote deliveries were under way at a time, by the status
// lines in the log of qmail-send.
func mostAtOnce(log string) (most int) {
	for line := range strings.Lines(log) {
		_, rest, ok := strings.Cut(line, " remote ")
		if ok && strings.HasPrefix(line, "status: local ") {
			number, _, _ := strings.Cut(rest, "/")
			n, _ := strconv.Atoi(number)
			most = max(most, n)
		}
	}
	return most
}

// watchMemory gives the most memory that the system has had until over is closed.
func (r *round) watchMemory() (over chan struct{}, peak <-chan float64) {
	over = make(chan struct{})
	most := make(chan float64, 1)
	go func() {
		sum := 0.0
		for {
			select {
			case <-over:
				most <- sum
				return
			case <-time.After(250 * time.Millisecond):
				sum = max(sum, r.memory())
			}
		}
	}()
	return over, most
}
