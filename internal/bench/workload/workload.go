// Package workload makes the lines that benchmarks read: the same accesses, as
// each server's text format would write them. It measures nothing itself; the
// benchmarks and the command pipeline beside it call it.
package workload

import (
	"fmt"
	"io"
	"iter"
	"math/rand"
	"time"
)

// Access is one request to a shop. User and Referer are "-" where there is none.
type Access struct {
	Addr, User, Method, Target, Referer, Agent string
	At                                         time.Time
	Status, Bytes, Number                      int
}

// Start is when the first request of a workload comes; forty make a second.
var Start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// Accesses are n requests, the same for the same seed: 30 % with a user, 10 %
// over IPv6, 5 % of the targets with an e-mail address or a card.
func Accesses(n int, seed int64) iter.Seq[Access] { return accesses(Start, n, seed) }

func accesses(at time.Time, n int, seed int64) iter.Seq[Access] {
	return func(yield func(Access) bool) {
		r := rand.New(rand.NewSource(seed))
		at := at
		for k := range n {
			if r.Intn(40) == 0 {
				at = at.Add(time.Second)
			}
			if !yield(access(r, at, k)) {
				return
			}
		}
	}
}

func access(r *rand.Rand, at time.Time, number int) Access {
	pick := func(list ...string) string { return list[r.Intn(len(list))] }
	a := Access{At: at, Number: number, User: "-", Referer: "-"}
	a.Addr = fmt.Sprintf("%d.%d.%d.%d", 1+r.Intn(223), r.Intn(256), r.Intn(256), r.Intn(256))
	if r.Intn(10) == 0 {
		a.Addr = fmt.Sprintf("2001:db8:%x:%x::%x", r.Intn(65536), r.Intn(65536), r.Intn(65536))
	}
	if r.Intn(10) < 3 {
		a.User = fmt.Sprintf("%s.%s%d", pick("maria", "joao", "anna", "peter", "li", "fatima"), pick("silva", "mueller", "smith", "wang", "khan"), r.Intn(400))
	}
	a.Target = fmt.Sprintf(pick("/api/v1/users/%d", "/api/v1/orders/%d/items", "/static/js/app.%08x.js", "/images/p/%d.webp", "/checkout/%d/confirm"), r.Intn(1<<24))
	switch k := r.Intn(1000); {
	case k < 25:
		a.Target += fmt.Sprintf("?email=%s.%s%d@example.com&ref=%x", pick("maria", "anna"), pick("silva", "smith"), r.Intn(99), r.Uint32())
	case k < 40:
		a.Target += fmt.Sprintf("?q=%s%%40example.org&page=%d", pick("costa", "patel"), r.Intn(20))
	case k < 50:
		a.Target += "?card=" + card(r)
	case k < 300:
		a.Target += fmt.Sprintf("?page=%d&sort=%s&sid=%08x%08x", r.Intn(50), pick("asc", "desc"), r.Uint32(), r.Uint32())
	}
	if r.Intn(2) == 0 {
		a.Referer = fmt.Sprintf("https://www.example.com/%s?u=%d", pick("home", "products/list", "account"), r.Intn(100000))
	}
	a.Method = pick("GET", "GET", "GET", "GET", "POST", "PUT")
	a.Status = []int{200, 200, 200, 304, 403, 404, 500}[r.Intn(7)]
	a.Bytes = r.Intn(60000)
	a.Agent = pick("Mozilla/5.0 (X11; Linux x86_64; rv:129.0) Gecko/20100101 Firefox/129.0", "curl/8.5.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36")
	return a
}

// Combined writes the accesses as nginx's combined lines.
func Combined(w io.Writer, n int, seed int64) error { return CombinedFrom(w, Start, n, seed) }

// CombinedFrom is Combined with another time for the first request. A line that is
// dated over a day ahead is rejected, and a few minutes make weeks of lines.
func CombinedFrom(w io.Writer, at time.Time, n int, seed int64) error {
	for a := range accesses(at, n, seed) {
		if _, err := io.WriteString(w, combined(a)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// card is a 16-digit number that passes Luhn.
func card(r *rand.Rand) string {
	d := []byte("4000000000000000")
	sum := 8
	for i := 1; i < 15; i++ {
		v := r.Intn(10)
		d[i] = '0' + byte(v)
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	d[15] = '0' + byte((10-sum%10)%10)
	return string(d)
}
