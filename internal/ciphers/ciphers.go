// Package ciphers reads lists of ciphers for TLS, as administrators write them for
// OpenSSL (openssl-ciphers(1)) in control/tlsserverciphers and the like.
//
// # File format
//
// A list has words with colons, commas or blanks between them:
//
//	ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:!ECDHE-RSA-AES128-SHA
//
// A word is the name of a cipher suite of TLS 1.2, OpenSSL's or the one that IANA
// has for it, after ! or - if it is not to be used. All other words, those that
// stand for many (HIGH, !aNULL, @STRENGTH) among them, do not count, and neither do
// suites that are not secure. The ciphers of TLS 1.3 cannot be chosen.
package ciphers

import (
	"crypto/tls"
	"slices"
	"strings"
)

// openssl has what OpenSSL calls the suites that are still secure.
var openssl = map[string]uint16{
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Parse returns the suites of a list, for [tls.Config]. It is nil, which stands for
// the usual ones, if the list names none.
func Parse(list string) []uint16 {
	var named, banned []uint16
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' || r == '\t' })
	for _, word := range words {
		name := strings.TrimLeft(word, "!-")
		id, ok := suite(name)
		switch {
		case !ok:
		case name != word:
			banned = append(banned, id)
		default:
			named = append(named, id)
		}
	}
	if len(named) == 0 && len(banned) > 0 {
		named = all()
	}
	named = slices.DeleteFunc(named, func(id uint16) bool { return slices.Contains(banned, id) })
	if len(named) == 0 {
		return nil
	}
	return named
}

func suite(name string) (uint16, bool) {
	if id, ok := openssl[name]; ok {
		return id, true
	}
	for _, s := range tls.CipherSuites() {
		if s.Name == name && slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			return s.ID, true
		}
	}
	return 0, false
}

// all are the secure suites of TLS 1.2.
func all() []uint16 {
	var ids []uint16
	for _, s := range tls.CipherSuites() {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}
