package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Bytes is a byte string, written in JSON with one character, U+0000 to U+00FF,
// for each byte.
type Bytes string

func (b Bytes) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(b.characters())
	return bytes.TrimSpace(out.Bytes()), err
}

func (b *Bytes) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return fmt.Errorf("character %U in %q stands for no byte", r, s)
		}
		out = append(out, byte(r))
	}
	*b = Bytes(out)
	return nil
}

// characters is b with one character for each byte.
func (b Bytes) characters() string {
	runes := make([]rune, len(b))
	for i := range len(b) {
		runes[i] = rune(b[i])
	}
	return string(runes)
}
