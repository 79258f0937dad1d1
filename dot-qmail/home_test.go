package dotqmail

import (
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeHome is a home in memory.
type fakeHome map[string]fakeFile

type fakeFile struct {
	text    string
	mode    fs.FileMode
	openErr error
	readErr error
}

func (h fakeHome) Open(name string) (fs.File, error) {
	f, ok := h[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	if f.openErr != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: f.openErr}
	}
	return &openFile{Reader: strings.NewReader(f.text), fakeInfo: fakeInfo{name, f}}, nil
}

func (h fakeHome) Stat(name string) (fs.FileInfo, error) {
	f, err := h.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

type openFile struct {
	io.Reader
	fakeInfo
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.fakeInfo, nil }
func (f *openFile) Close() error               { return nil }
func (f *openFile) Read(p []byte) (int, error) {
	if f.f.readErr != nil {
		return 0, f.f.readErr
	}
	return f.Reader.Read(p)
}

type fakeInfo struct {
	name string
	f    fakeFile
}

func (i fakeInfo) Name() string       { return i.name }
func (i fakeInfo) Size() int64        { return int64(len(i.f.text)) }
func (i fakeInfo) Mode() fs.FileMode  { return i.f.mode }
func (i fakeInfo) ModTime() time.Time { return time.Time{} }
func (i fakeInfo) IsDir() bool        { return i.f.mode.IsDir() }
func (i fakeInfo) Sys() any           { return nil }

func TestCheckHome(t *testing.T) {
	tests := []struct {
		name   string
		mode   fs.FileMode
		sticky bool
		want   string
	}{
		{"private", 0o700, false, ""},
		{"group may write", 0o775, false, ""},
		{"others may write", 0o757, false, "Uh-oh: home directory is writable. (#4.7.0)"},
		{"sticky", 0o755 | fs.ModeSticky, true, ""},
		{"sticky and writable", 0o777 | fs.ModeSticky, false, "Uh-oh: home directory is writable. (#4.7.0)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sticky, err := CheckHome(fakeInfo{".", fakeFile{mode: fs.ModeDir | tt.mode}})
			if sticky != tt.sticky || errText(err) != tt.want {
				t.Errorf("CheckHome(%v) = %v, %q, want %v, %q", tt.mode, sticky, errText(err), tt.sticky, tt.want)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	text, _, _ := strings.Cut(err.Error(), ") ")
	return text
}
