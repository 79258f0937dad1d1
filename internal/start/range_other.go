//go:build !linux

package start

import "errors"

func closeOnExecFrom(uint) error { return errors.ErrUnsupported }
