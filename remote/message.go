package remote

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
)

// rest is what is left of a message that can seek, to be looked through without moving
// on in it: if going back failed, the message would be sent without its beginning. It is
// nil for other messages.
func rest(message io.Reader) io.Reader {
	file, ok := message.(interface {
		io.Seeker
		io.ReaderAt
	})
	if !ok {
		return nil
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil // a pipe
	}
	return io.NewSectionReader(file, start, math.MaxInt64-start)
}

// survey looks through a message that can seek. The size is that on the wire, about. Of
// a message that cannot seek nothing is known, but it may have 8-bit bytes in it.
func survey(message io.Reader) (size int64, eightBit, known bool) {
	file := rest(message)
	if file == nil {
		return 0, true, false
	}
	buf := make([]byte, readSize)
	for {
		n, err := file.Read(buf)
		size += int64(n + bytes.Count(buf[:n], []byte{'\n'}))
		eightBit = eightBit || hasEightBit(buf[:n])
		if err != nil {
			return size, eightBit, err == io.EOF // any other error comes again when it is sent
		}
	}
}

// hasEightBit reports whether p is not all ASCII.
func hasEightBit(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p)&0x8080808080808080 != 0 {
			return true
		}
		p = p[8:]
	}
	for _, c := range p {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
