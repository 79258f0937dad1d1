package qq

import "goqmail/internal/serve"

// held is a small message that is given away as a whole.
type held struct {
	text []byte
	body int // how many bytes of it are the message, once the envelope begins
}

// maxHeld is how many bytes are held.
const maxHeld = 48 << 10

// hold adds to what is held, unless nothing is held or it would be too much.
func hold[T string | []byte](h *held, p T) bool {
	if h == nil || len(h.text)+len(p) > maxHeld {
		return false
	}
	h.text = append(h.text, p...)
	return true
}

// give hands all that is held to a qmail-queue that stays and waits for the verdict. It
// returns false if a program has to be started.
func (m *Message) give() bool {
	if m.held == nil {
		return false
	}
	s := m.queue.ask(serve.JoinTexts(m.held.text[:m.held.body], m.held.text[m.held.body:]))
	if s == nil {
		return false
	}
	if s.settle(); s.code == serve.Once {
		m.alone = true
		return false
	}
	m.held, m.served = nil, s
	return true
}

// letGo writes what is held to the program, which is started.
func (m *Message) letGo() {
	h := m.held
	if h == nil {
		return
	}
	m.held = nil
	if m.start() != nil {
		m.failed = true
	}
	if m.failed {
		return
	}
	if !m.ended {
		m.write(h.text)
		return
	}
	m.write(h.text[:h.body])
	m.endBody()
	m.write(h.text[h.body:])
}

func (m *Message) write(p []byte) {
	if !m.failed {
		if _, err := m.out.Write(p); err != nil {
			m.failed = true
		}
	}
}
