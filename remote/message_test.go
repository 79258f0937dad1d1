package remote

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// oneWay cannot go back.
type oneWay struct{ *strings.Reader }

func (o oneWay) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset != 0 {
		return 0, errors.New("cannot go back")
	}
	return o.Reader.Seek(offset, whence)
}

// A message that is looked through is sent from its beginning, whatever fails.
func TestLookedThrough(t *testing.T) {
	const text = "Subject: x\n\nbody\n"
	message := oneWay{strings.NewReader(text)}
	survey(message)
	headerOf(message)
	if got, _ := io.ReadAll(message); string(got) != text {
		t.Errorf("what is sent is %q", got)
	}
}
