//go:build !linux

package durable

func onlyOpen(int) bool { return false }
