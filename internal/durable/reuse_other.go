//go:build !linux

package durable

import "errors"

func onlyOpen(int) bool { return false }

func blank(int, int64) error { return errors.ErrUnsupported }
