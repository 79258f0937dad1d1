package conformance

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// spawner plays qmail-lspawn or qmail-rspawn. What it reports is scripted, in
// turn, the last for good, by channel and recipient ("local joe@host"); a
// recipient without a script succeeds. An empty report is never given: the
// spawner goes away some time after SIGTERM. A report "late:..." is given after
// SIGTERM; "raw:..." is sent as it is, without final NUL and with the delivery's
// number for {n}; for "close" the spawner goes away at once.
type spawner struct {
	run     *sendRun
	channel string
	in, out *os.File
}

const usualSlots = 120

func (s *spawner) serve() {
	defer s.out.Close()
	defer s.in.Close()
	slots := s.run.step.Slots
	if slots == 0 {
		slots = usualSlots
	}
	if slots < 0 {
		return
	}
	s.out.Write([]byte{byte(slots)})
	in := bufio.NewReader(s.in)
	for {
		d, err := readDelivery(in)
		if err != nil {
			return
		}
		s.run.touch()
		if !s.deliver(d) {
			return
		}
	}
}

// delivery is what qmail-send asks of a spawner.
type delivery struct {
	number                     byte
	message, sender, recipient string
}

func readDelivery(in *bufio.Reader) (d delivery, err error) {
	if d.number, err = in.ReadByte(); err != nil {
		return d, err
	}
	for _, field := range []*string{&d.message, &d.sender, &d.recipient} {
		text, err := in.ReadString(0)
		if err != nil {
			return d, err
		}
		*field = strings.TrimSuffix(text, "\x00")
	}
	return d, nil
}

// deliver answers one delivery; false ends the spawner.
func (s *spawner) deliver(d delivery) bool {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	s.run.got.Deliveries = append(s.run.got.Deliveries, s.asked(d))
	report := s.report(d)
	if report == "" {
		s.run.atEnd = append(s.run.atEnd, func() { s.out.Close() })
		return true
	}
	if report == "close" {
		return false
	}
	if raw, ok := strings.CutPrefix(report, "raw:"); ok {
		s.out.WriteString(strings.ReplaceAll(raw, "{n}", string([]byte{d.number})))
		return true
	}
	text, late := strings.CutPrefix(report, "late:")
	answer := string([]byte{d.number}) + text + "\x00"
	if late {
		s.run.atTerm = append(s.run.atTerm, func() { s.out.WriteString(answer) })
		return true
	}
	s.out.WriteString(answer)
	return true
}

// asked is how a recording puts the delivery.
func (s *spawner) asked(d delivery) Bytes {
	asked := s.channel + " from <" + d.sender + "> to <" + d.recipient + ">"
	if _, err := os.Stat(filepath.Join(s.run.w.home, "queue/mess", d.message)); err != nil {
		asked += " of missing " + d.message
	}
	return Bytes(asked)
}

// report takes the next scripted report.
func (s *spawner) report(d delivery) string {
	key := s.channel + " " + Bytes(d.recipient).characters()
	given, ok := s.run.step.Replies[key]
	if !ok {
		return "Kok\n"
	}
	report := given[min(s.run.turn[key], len(given)-1)]
	s.run.turn[key]++
	return string(report)
}
