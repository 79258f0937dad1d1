package ciphers

import (
	"crypto/tls"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	const (
		ecdsa = tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
		rsa   = tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
	)
	for list, want := range map[string][]uint16{
		"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:!ECDHE-RSA-AES128-SHA": {ecdsa, rsa},
		"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, ECDHE-ECDSA-AES256-GCM-SHA384":            {rsa, ecdsa},
		"HIGH:!aNULL:!MD5:@STRENGTH":       nil,
		"":                                 nil,
		"RC4-SHA:TLS_RSA_WITH_RC4_128_SHA": nil,
		"TLS_AES_128_GCM_SHA256":           nil,
		"ECDHE-RSA-AES256-GCM-SHA384:-ECDHE-RSA-AES256-GCM-SHA384": nil,
	} {
		if got := Parse(list); !slices.Equal(got, want) {
			t.Errorf("Parse(%q) = %x, want %x", list, got, want)
		}
	}
	if got := Parse("ALL:!ECDHE-RSA-AES128-SHA"); len(got) != len(all())-1 || slices.Contains(got, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA) {
		t.Errorf("without one: %x", got)
	}
}

// TestNames checks that what is listed is what Go has.
func TestNames(t *testing.T) {
	var ids []uint16
	for _, id := range openssl {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	want := all()
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("%x have names, want %x", ids, want)
	}
}

// FuzzParse checks that nothing but secure suites comes of a list.
func FuzzParse(f *testing.F) {
	f.Add("HIGH:ECDHE-RSA-AES256-SHA:!RC4")
	f.Fuzz(func(t *testing.T, list string) {
		for _, id := range Parse(list) {
			if !slices.Contains(all(), id) {
				t.Errorf("%q has %x", list, id)
			}
		}
	})
}
