package serve

import (
	"encoding/binary"
	"strings"
	"sync"
)

// A request for many pieces of work, and a packet with answers to such, have the number
// that no other request has. A process that takes them says the note in its hello.
const (
	manyNumber = 0
	manyNote   = "many"
)

// mostAtOnce bounds how many pieces of work one request may be for.
const mostAtOnce = 1 << 16

// request is one request.
type request struct {
	many  bool
	first uint32 // number of the first piece of work
	count int
	text  []byte   // all arguments, as they came
	args  []string // the same, unless the program takes the text
}

// parseRequest reads a request, but for its arguments.
func parseRequest(p []byte) (r request, ok bool) {
	if len(p) < 4 {
		return request{}, false
	}
	r = request{first: binary.BigEndian.Uint32(p), count: 1}
	p = p[4:]
	if r.first == manyNumber {
		if len(p) < 8 {
			return request{}, false
		}
		r.many, r.first, r.count = true, binary.BigEndian.Uint32(p), int(binary.BigEndian.Uint32(p[4:]))
		if r.count < 1 || r.count > mostAtOnce {
			return request{}, false
		}
		p = p[8:]
	}
	r.text = p
	return r, true
}

// splitArgs takes apart what appendArgs has made. What is after the last NUL is cut off.
func splitArgs(p []byte) []string {
	text := string(p)
	args := make([]string, 0, strings.Count(text, "\x00"))
	for {
		arg, rest, found := strings.Cut(text, "\x00")
		if !found {
			return args
		}
		args, text = append(args, arg), rest
	}
}

func appendRequest(p []byte, number uint32, args []string) []byte {
	return appendArgs(binary.BigEndian.AppendUint32(p, number), args)
}

func appendMany(p []byte, first uint32, count int, args []string) []byte {
	p = binary.BigEndian.AppendUint32(p, manyNumber)
	p = binary.BigEndian.AppendUint32(p, first)
	return appendArgs(binary.BigEndian.AppendUint32(p, uint32(count)), args)
}

func appendArgs(p []byte, args []string) []byte {
	for _, arg := range args {
		p = append(append(p, arg...), 0)
	}
	return p
}

// answerHead is how many bytes of a packet with answers come before the text of each.
const answerHead = 9

func appendAnswer(p []byte, number uint32, a Answer) []byte {
	text := a.Text[:min(len(a.Text), MaxPacket-answerHead-4)]
	p = binary.BigEndian.AppendUint32(p, number)
	p = append(p, byte(a.Code))
	return append(binary.BigEndian.AppendUint32(p, uint32(len(text))), text...)
}

// cutAnswer reads the first of several answers.
func cutAnswer(p []byte) (number uint32, a Answer, rest []byte, ok bool) {
	if len(p) < answerHead {
		return 0, Answer{}, nil, false
	}
	number, a.Code = binary.BigEndian.Uint32(p), int(p[4])
	size := binary.BigEndian.Uint32(p[5:])
	if p = p[answerHead:]; uint64(size) > uint64(len(p)) {
		return 0, Answer{}, nil, false
	}
	a.Text = string(p[:size])
	return number, a, p[size:], true
}

// answers sends answers to pieces of requests for many. While a packet is being sent
// those that come are gathered for the next one, so that a burst of them is few
// packets.
type answers struct {
	to *Conn

	mu      sync.Mutex
	packets [][]byte // to be sent; the last one may grow
	sending sync.WaitGroup
	busy    bool
}

func (w *answers) add(number uint32, a Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.packets) - 1
	if last < 0 || len(w.packets[last])+answerHead+len(a.Text) > MaxPacket {
		w.packets = append(w.packets, binary.BigEndian.AppendUint32(nil, manyNumber))
		last++
	}
	w.packets[last] = appendAnswer(w.packets[last], number, a)
	if !w.busy {
		w.busy = true
		w.sending.Go(w.send)
	}
}

// send sends what there is. If an answer cannot be sent, nobody must wait for it: the
// connection ends.
func (w *answers) send() {
	for {
		w.mu.Lock()
		packets := w.packets
		w.packets = nil
		w.busy = len(packets) > 0
		w.mu.Unlock()
		if len(packets) == 0 {
			return
		}
		for _, p := range packets {
			if w.to.Send(p) != nil {
				w.to.Close()
			}
		}
	}
}

// wait returns when all has been sent. Nothing is added any more.
func (w *answers) wait() { w.sending.Wait() }
