package scram

import (
	"errors"
	"strings"
	"testing"
)

// The exchange of RFC 7677 section 3.
const (
	rfcClient = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
	rfcServer = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	rfcProof  = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	rfcFinal  = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
	rfcNonce  = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)

func verifier(t testing.TB) Verifier {
	t.Helper()
	salt, _ := unb64("W22ZaJ0SNY7soEsUEjb6gQ==")
	v, err := New("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func server(v Verifier, known bool) *Server {
	return &Server{Nonce: rfcNonce, Lookup: func(string) (Verifier, bool, error) { return v, known, nil }}
}

func TestServer(t *testing.T) {
	s := server(verifier(t), true)
	if got, err := s.Challenge(rfcClient); got != rfcServer || err != nil || s.User != "user" {
		t.Fatalf("challenge %q, %v", got, err)
	}
	if got, err := s.Finish(rfcProof); got != rfcFinal || err != nil {
		t.Errorf("final %q, %v", got, err)
	}
}

func TestClient(t *testing.T) {
	c := &Client{User: "user", Password: "pencil", Nonce: "rOprNGfwEbeRWgbNEkqO"}
	if got := c.First(); got != rfcClient {
		t.Errorf("first %q", got)
	}
	if err := c.Verify(rfcFinal); err == nil {
		t.Error("verified before anything was proved")
	}
	if got, err := c.Prove(rfcServer); got != rfcProof || err != nil {
		t.Errorf("proof %q, %v", got, err)
	}
	if err := c.Verify(rfcFinal); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "e=other-error", "v=", "v=!", "v=" + b64(make([]byte, 32))} {
		if c.Verify(bad) == nil {
			t.Errorf("verified %q", bad)
		}
	}
	for _, bad := range []string{
		"", "r=x,s=QQ==,i=4096", strings.Replace(rfcServer, "4096", "4095", 1), strings.Replace(rfcServer, "4096", "9999999", 1),
		"r=" + c.Nonce + ",s=QQ==,i=4096", "m=x," + rfcServer, strings.Replace(rfcServer, "s=W", "s=!", 1), "e=unknown-user",
	} {
		if got, err := c.Prove(bad); err == nil {
			t.Errorf("proved %q to %q", got, bad)
		}
	}
}

func TestRefused(t *testing.T) {
	v := verifier(t)
	for name, tt := range map[string]struct {
		known bool
		first string
		final string
		err   error
	}{
		"unknown user":      {false, rfcClient, rfcProof, ErrRefused},
		"wrong password":    {true, rfcClient, strings.Replace(rfcProof, "p=dH", "p=dI", 1), ErrRefused},
		"other nonce":       {true, rfcClient, strings.Replace(rfcProof, "r=rO", "r=rP", 1), ErrFormat},
		"other header":      {true, rfcClient, strings.Replace(rfcProof, "biws", "eSws", 1), ErrFormat},
		"no proof":          {true, rfcClient, "c=biws,r=x", ErrFormat},
		"binding":           {true, strings.Replace(rfcClient, "n,,", "p=tls-unique,,", 1), "", ErrFormat},
		"extension":         {true, strings.Replace(rfcClient, "n=user", "m=x,n=user", 1), "", ErrFormat},
		"for somebody else": {true, strings.Replace(rfcClient, "n,,", "n,a=ann,", 1), "", ErrRefused},
		"bad name":          {true, strings.Replace(rfcClient, "n=user", "n=us=2Der", 1), "", ErrFormat},
		"no name":           {true, strings.Replace(rfcClient, "n=user", "n=", 1), "", ErrFormat},
		"no nonce":          {true, "n,,n=user,r=", "", ErrFormat},
		"nothing":           {true, "", "", ErrFormat},
	} {
		s := server(v, tt.known)
		_, err := s.Challenge(tt.first)
		if err == nil {
			_, err = s.Finish(tt.final)
		}
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", name, err, tt.err)
		}
	}
}

func TestNames(t *testing.T) {
	v := verifier(t)
	c := &Client{User: "a=b,c", Password: "pencil", Nonce: Nonce()}
	s := server(v, true)
	challenge, err := s.Challenge(c.First())
	if err != nil || s.User != c.User {
		t.Fatalf("%q, %v", s.User, err)
	}
	proof, err := c.Prove(challenge)
	if err != nil {
		t.Fatal(err)
	}
	final, err := s.Finish(proof)
	if err != nil || c.Verify(final) != nil {
		t.Errorf("%q, %v", final, err)
	}
}

// TestExample has the example of the package's documentation.
func TestExample(t *testing.T) {
	const example = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if got := verifier(t).String(); got != example {
		t.Errorf("got %s", got)
	}
	v, err := Parse(example)
	if err != nil || !v.Check("pencil") || v.Check("pencils") {
		t.Errorf("%v, %v", v, err)
	}
	for _, bad := range []string{
		"", "SCRAM-SHA-1" + example[len(Name):], strings.Replace(example, "4096", "1", 1), strings.Replace(example, "4096", "4096x", 1),
		strings.Replace(example, ":W2", ":!", 1), strings.Replace(example, "$WG", "$", 1), strings.TrimSuffix(example, "2dU="), "SCRAM-SHA-256$4096",
	} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q is a verifier", bad)
		}
	}
}

// FuzzParse checks that what is read is written as it was.
func FuzzParse(f *testing.F) {
	f.Add(verifier(f).String())
	f.Add("SCRAM-SHA-256$4096:QQ==$QQ==:QQ==")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(v.String())
		if err != nil || again.String() != v.String() {
			t.Errorf("%q is read as %v, and that as %v, %v", text, v, again, err)
		}
	})
}

// FuzzServer has a client that knows nothing say anything: it is not let in.
func FuzzServer(f *testing.F) {
	f.Add(rfcClient, rfcProof)
	f.Add("y,a=user,n=user,r=x,f=y", "c=eSxhPXVzZXIs,r=x,p=")
	v := verifier(f)
	v.StoredKey = make([]byte, len(v.StoredKey))
	f.Fuzz(func(t *testing.T, first, final string) {
		s := server(v, true)
		if _, err := s.Challenge(first); err != nil {
			return
		}
		if got, err := s.Finish(final); err == nil {
			t.Errorf("%q, %q: %q", first, final, got)
		}
	})
}
