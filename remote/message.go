package remote

import (
	"bytes"
	"encoding/binary"
	"io"
)

// survey looks through a message that can seek, and goes back to where it was.
// The size is that on the wire, about. Of a message that cannot seek nothing is
// known, but it may have 8-bit bytes in it.
func survey(message io.Reader) (size int64, eightBit, known bool) {
	file, ok := message.(io.ReadSeeker)
	if !ok {
		return 0, true, false
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, true, false // a pipe
	}
	buf := make([]byte, readSize)
	for {
		n, err := file.Read(buf)
		size += int64(n + bytes.Count(buf[:n], []byte{'\n'}))
		eightBit = eightBit || hasEightBit(buf[:n])
		if err != nil {
			known = err == io.EOF // any other error comes again when it is sent
			break
		}
	}
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return 0, true, false
	}
	return size, eightBit, known
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
