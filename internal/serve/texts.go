package serve

import "encoding/binary"

// lengthSize is how many bytes the length of the first of two texts has.
const lengthSize = 4

// JoinTexts makes one text of two: the length of the first, the highest byte first, the
// first and the second.
func JoinTexts(first, second []byte) []byte {
	joined := make([]byte, 0, lengthSize+len(first)+len(second))
	joined = binary.BigEndian.AppendUint32(joined, uint32(len(first)))
	return append(append(joined, first...), second...)
}

// SplitTexts takes apart what JoinTexts has made; ok is false if it is something else.
// Nothing is copied.
func SplitTexts(joined []byte) (first, second []byte, ok bool) {
	if len(joined) < lengthSize {
		return nil, nil, false
	}
	size, text := binary.BigEndian.Uint32(joined), joined[lengthSize:]
	if uint64(size) > uint64(len(text)) {
		return nil, nil, false
	}
	return text[:size], text[size:], true
}
