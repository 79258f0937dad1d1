// Package netstring reads and writes netstrings, of which QMTP and QMQP are made.
//
// # File format
//
// A netstring is a length, a colon, that many bytes and a comma:
//
//	netstring = length ":" bytes ","
//	length    = decimal digits
//
// so that a reader knows beforehand how much is to come. The string "hello" is
//
//	5:hello,
//
// A length may have leading zeros and may lack digits altogether, which is 0, as
// qmail reads it. One above [MaxLength] is refused without reading on. Netstrings
// may hold others.
package netstring

import (
	"errors"
	"io"
	"strconv"
)

// MaxLength is the largest length that is read. Beyond it a reader gives up:
// whoever sends such a thing is told nothing and may try again.
const MaxLength = 2_000_000_009

var (
	// ErrFormat is the error for what is not a netstring.
	ErrFormat = errors.New("not a netstring")
	// ErrTooLong is the error for a length above [MaxLength].
	ErrTooLong = errors.New("netstring too long")
)

// ReadLength reads the length of a netstring, and its colon.
func ReadLength(r io.ByteReader) (int64, error) {
	var n int64
	for {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == ':':
			return n, nil
		case n > MaxLength/10:
			return 0, ErrTooLong
		case c < '0' || c > '9':
			return 0, ErrFormat
		}
		n = n*10 + int64(c-'0')
	}
}

// ReadComma reads the comma at the end of a netstring.
func ReadComma(r io.ByteReader) error {
	c, err := r.ReadByte()
	if err == nil && c != ',' {
		err = ErrFormat
	}
	return err
}

// Append adds s as a netstring to b.
func Append(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	b = append(b, s...)
	return append(b, ',')
}

// Len is the length of a netstring of n bytes.
func Len(n int64) int64 {
	return int64(len(strconv.FormatInt(n, 10))) + 1 + n + 1
}
