package cdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Reader looks up keys in a constant database.
type Reader struct {
	file io.ReaderAt
}

// NewReader returns a reader of a file. It reads nothing yet, and several
// goroutines may use it at a time.
func NewReader(file io.ReaderAt) *Reader { return &Reader{file} }

// Get returns the value of the first record with that key. Ok is false, without
// an error, if there is none.
func (r *Reader) Get(key []byte) (value []byte, ok bool, err error) {
	hash := Hash(key)
	table, slots, err := r.pair(int64(hash%tables) * pairSize)
	if err != nil || slots == 0 {
		return nil, false, err
	}
	slot := hash / tables % slots
	for range slots {
		h, record, err := r.pair(int64(table) + int64(slot)*pairSize)
		if err != nil || record == 0 {
			return nil, false, err
		}
		if h == hash {
			value, ok, err := r.record(int64(record), key)
			if err != nil || ok {
				return value, ok, err
			}
		}
		if slot++; slot == slots {
			slot = 0
		}
	}
	return nil, false, nil
}

// record returns the value of the record at pos if its key is key.
func (r *Reader) record(pos int64, key []byte) (value []byte, ok bool, err error) {
	keyLen, valueLen, err := r.pair(pos)
	if err != nil || int64(keyLen) != int64(len(key)) {
		return nil, false, err
	}
	pos += pairSize
	got := make([]byte, len(key))
	if err := r.full(got, pos); err != nil {
		return nil, false, err
	}
	if !bytes.Equal(got, key) {
		return nil, false, nil
	}
	value, err = r.bytes(pos+int64(keyLen), int64(valueLen))
	return value, err == nil, err
}

// bytes returns n bytes. What it keeps grows with what it finds, as n may be
// anything in a damaged file.
func (r *Reader) bytes(pos, n int64) ([]byte, error) {
	const atOnce = 64 << 10
	if n <= atOnce {
		b := make([]byte, n)
		return b, r.full(b, pos)
	}
	b, err := io.ReadAll(io.NewSectionReader(r.file, pos, n))
	if err == nil && int64(len(b)) < n {
		err = cutOff(pos + int64(len(b)))
	}
	return b, err
}

func (r *Reader) pair(pos int64) (a, b uint32, err error) {
	var buf [pairSize]byte
	if err := r.full(buf[:], pos); err != nil {
		return 0, 0, err
	}
	return binary.LittleEndian.Uint32(buf[:]), binary.LittleEndian.Uint32(buf[4:]), nil
}

// full fills buf with what is at pos.
func (r *Reader) full(buf []byte, pos int64) error {
	if len(buf) == 0 {
		return nil
	}
	n, err := r.file.ReadAt(buf, pos)
	if n == len(buf) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return cutOff(pos + int64(n))
	}
	return err
}

func cutOff(pos int64) error {
	return fmt.Errorf("%w: ends at %d", ErrCorrupt, pos)
}
