package bounce

import (
	"bytes"
	"io"
)

// Whole returns the length of the whole paragraphs in the first size bytes of r. A
// crash may have left a part of one behind them, whose recipient is tried again.
func Whole(r io.ReaderAt, size int64) (int64, error) {
	const end = "\n\n"
	buf := make([]byte, 4<<10)
	for size >= int64(len(end)) {
		n := min(size, int64(len(buf)))
		if _, err := r.ReadAt(buf[:n], size-n); err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndex(buf[:n], []byte(end)); i >= 0 {
			return size - n + int64(i+len(end)), nil
		}
		if n == size {
			break
		}
		size -= n - 1 // the end may lie across
	}
	return 0, nil
}
