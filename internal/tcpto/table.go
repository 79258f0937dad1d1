package tcpto

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Sizes of the two parts of the file, in bytes.
const (
	oldSize  = 1024 // what every qmail reads
	oldSlot  = 16
	newSlot  = 32
	newSlots = 1024
	mostSize = oldSize + newSlots*newSlot
)

// table is the file in memory, padded to whole records.
type table struct {
	data  []byte
	whole int // bytes of the file that are whole records
}

// slot is one record: where it is and how long.
type slot struct{ offset, size int }

// addrSize is how many bytes the address has.
func (s slot) addrSize() int {
	if s.size == oldSlot {
		return 4
	}
	return 16
}

// parse takes the bytes of a file. What is missing of the first part is zero;
// a piece of a record is none.
func parse(data []byte) *table {
	data = data[:min(len(data), mostSize)]
	if len(data) < oldSize {
		whole := len(data) / oldSlot * oldSlot
		padded := make([]byte, oldSize)
		copy(padded, data[:whole])
		return &table{padded, whole}
	}
	whole := oldSize + (len(data)-oldSize)/newSlot*newSlot
	return &table{data[:whole], whole}
}

// slots are all the records that there are, free ones too.
func (t *table) slots() []slot {
	n := (len(t.data) - oldSize) / newSlot
	all := make([]slot, 0, oldSize/oldSlot+n)
	for at := 0; at < oldSize; at += oldSlot {
		all = append(all, slot{at, oldSlot})
	}
	for at := oldSize; at < len(t.data); at += newSlot {
		all = append(all, slot{at, newSlot})
	}
	return all
}

func (t *table) bytes(s slot) []byte { return t.data[s.offset : s.offset+s.size] }

// entry reads a record.
func (t *table) entry(s slot) Entry {
	b := t.bytes(s)
	n := s.addrSize()
	addr, _ := netip.AddrFromSlice(b[:n])
	when := binary.LittleEndian.Uint32(b[n+4:])
	return Entry{Addr: addr.Unmap(), Count: int(b[n]), Last: time.Unix(int64(when), 0)}
}

// set writes a record, of which the address must fit.
func (t *table) set(s slot, e Entry) {
	b := t.bytes(s)
	clear(b)
	n := s.addrSize()
	if s.size == oldSlot {
		a := e.Addr.Unmap().As4()
		copy(b, a[:])
	} else {
		a := e.Addr.As16()
		copy(b, a[:])
	}
	b[n] = byte(e.Count)
	binary.LittleEndian.PutUint32(b[n+4:], uint32(e.Last.Unix()))
}

// find returns the record of an address, even if its count is 0.
func (t *table) find(addr netip.Addr) (slot, bool) {
	addr = addr.Unmap().WithZone("")
	for _, s := range t.slots() {
		if (addr.Is4() || s.size == newSlot) && t.entry(s).Addr == addr {
			return s, true
		}
	}
	return slot{}, false
}

// room returns a record for a new address: a free one, one more, or else the one
// that is the least loss, long ago and with few timeouts.
func (t *table) room(addr netip.Addr) slot {
	var least slot
	var worth int64
	for _, s := range t.slots() {
		if s.size == oldSlot && !addr.Unmap().Is4() {
			continue
		}
		e := t.entry(s)
		if e.Count == 0 {
			return s
		}
		w := e.Last.Unix() + int64(e.Count)<<10
		if least.size == 0 || w < worth {
			least, worth = s, w
		}
	}
	if len(t.data)+newSlot <= mostSize {
		t.data = append(t.data, make([]byte, newSlot)...)
		return slot{len(t.data) - newSlot, newSlot}
	}
	return least
}
