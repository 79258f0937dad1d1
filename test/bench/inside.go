package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
)

// inside runs on a host of its own: it starts a system, gives it each work in turn,
// and writes each figure to standard output.
func inside(what string) error {
	var o order
	if err := json.Unmarshal([]byte(what), &o); err != nil {
		return err
	}
	h, err := newHost(o)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	r := &round{host: h, system: systemOf(o.System), sink: newSink(), dead: newSink()}
	r.sample = func(work, metric string, value float64) { out.Encode(sample{o.System, work, metric, value}) }
	r.dead.skip = "@" // nobody waits for them
	for port, s := range map[string]*sink{sinkPort: r.sink, deadPort: r.dead} {
		if _, err := s.listen(net.JoinHostPort("127.0.0.1", port)); err != nil {
			return err
		}
	}
	go func() { // nobody waits for those to the hosts that may be dead
		for range r.dead.arrived {
		}
	}()
	if r.boxes, err = watch(maildirs()); err != nil {
		return err
	}
	if o.Step != "" {
		if err := r.fullQueue(); err != nil {
			return r.explain(err)
		}
		return nil
	}
	if err := r.system.start(h); err != nil {
		return r.explain(err)
	}
	for _, name := range o.Works {
		w, ok := workOf(name)
		if !ok {
			return fmt.Errorf("there is no work %q", name)
		}
		if !w.fits(r.system) {
			continue
		}
		r.work = w
		if err := w.run(r); err != nil {
			return r.explain(fmt.Errorf("%s: %w", name, err))
		}
	}
	if o.Profile != "" {
		return h.endAll()
	}
	return nil
}

// explain adds the end of the logs.
func (r *round) explain(err error) error {
	var logs []string
	for _, name := range []string{"system", "postfix", "exim4/mainlog", "exim4/paniclog"} {
		text, _ := os.ReadFile("/var/log/" + name)
		logs = append(logs, string(text[max(0, len(text)-1000):]))
	}
	return fmt.Errorf("%s: %w\n%s", r.System, err, strings.TrimSpace(strings.Join(logs, "\n")))
}
