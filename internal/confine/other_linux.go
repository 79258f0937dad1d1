//go:build linux && !amd64 && !arm64

package confine

func (p Profile) seccomp() (string, error) { return "", ErrUnsupported }
