//go:build !linux

package confine

const afNetlink = -1

func noNewPrivs() (string, error) { return "", ErrUnsupported }

func (p Profile) landlock() (string, error) { return "", ErrUnsupported }

func (p Profile) seccomp() (string, error) { return "", ErrUnsupported }
