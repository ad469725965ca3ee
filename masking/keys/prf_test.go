package keys_test

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestPRFEqualsTink(t *testing.T) {
	s, _ := open(t)
	p, err := s.SitePRF()
	if err != nil {
		t.Fatal(err)
	}
	tk, err := s.SiteTinkPRF()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 600 {
		msg := make([]byte, n)
		for i := range msg {
			msg[i] = byte(r.Uint32())
		}
		want, err := tk.ComputePrimaryPRF(msg, 32)
		if err != nil {
			t.Fatal(err)
		}
		got := p.Sum([]byte("prefix"), msg)
		if string(got[:6]) != "prefix" || !bytes.Equal(got[6:], want) {
			t.Fatalf("message of %d bytes: the PRF differs from Tink's", n)
		}
	}
}

func TestPRFConcurrent(t *testing.T) {
	s, _ := open(t)
	p, err := s.SitePRF()
	if err != nil {
		t.Fatal(err)
	}
	want := p.Sum(nil, []byte("message"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if !bytes.Equal(p.Sum(nil, []byte("message")), want) {
					t.Error("concurrent sums differ")
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkPRF(b *testing.B) {
	s, _ := open(b)
	p, err := s.SitePRF()
	if err != nil {
		b.Fatal(err)
	}
	tk, err := s.SiteTinkPRF()
	if err != nil {
		b.Fatal(err)
	}
	msg := []byte("email\x00someone.else@example.com!!")
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		var sum [32]byte
		for b.Loop() {
			p.Sum(sum[:0], msg)
		}
	})
	b.Run("tink", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tk.ComputePrimaryPRF(msg, 32); err != nil {
				b.Fatal(err)
			}
		}
	})
}
