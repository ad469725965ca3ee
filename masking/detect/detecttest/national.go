package detecttest

import "fmt"

func (m maker) cpf() string {
	n := m.digits(9)
	n += elevenDigit(sum(n, 10, 9, 8, 7, 6, 5, 4, 3, 2))
	n += elevenDigit(sum(n, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2))
	return n
}

func (m maker) cpfDotted() string {
	n := m.cpf()
	return n[:3] + "." + n[3:6] + "." + n[6:9] + "-" + n[9:]
}

func (m maker) cnpj(letters bool) string {
	n := m.digits(8) + "0001"
	if letters {
		n = m.from(upperCase+"0123456789", 2) + m.digits(3) + m.from(upperCase, 3) + "0001"
	}
	n += elevenDigit(sum(n, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))
	return n + elevenDigit(sum(n, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))
}

func (m maker) cnpjDotted() string {
	n := m.cnpj(false)
	return n[:2] + "." + n[2:5] + "." + n[5:8] + "/" + n[8:12] + "-" + n[12:]
}

func (m maker) pis() string {
	n := m.digits(10)
	n += elevenDigit(sum(n, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))
	return m.pick(n, n[:3]+"."+n[3:8]+"."+n[8:10]+"-"+n[10:])
}

func (m maker) cnh() string {
	for {
		n := m.digits(9)
		a, b := sum(n, 9, 8, 7, 6, 5, 4, 3, 2, 1)%11, sum(n, 1, 2, 3, 4, 5, 6, 7, 8, 9)%11
		if a < 10 && b < 10 {
			return fmt.Sprintf("%s%d%d", n, a, b)
		}
	}
}

func (m maker) rg() string {
	for {
		n := m.digits(8)
		if c := (11 - sum(n, 2, 3, 4, 5, 6, 7, 8, 9)%11) % 11; c < 10 {
			n += fmt.Sprint(c)
			return n[:2] + "." + n[2:5] + "." + n[5:8] + "-" + n[8:]
		}
	}
}

func (m maker) nhs() string {
	for {
		n := m.digits(9)
		if c := 11 - sum(n, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11; c != 10 {
			n += fmt.Sprint(c % 11)
			return m.pick(n, group(n, " ", 3, 3, 4))
		}
	}
}

func (m maker) dni() string {
	n := m.Intn(90_000_000) + 10_000_000
	return fmt.Sprintf("%d%c", n, "TRWAGMYFPDXBNJZSQVHLCKE"[n%23])
}

func (m maker) nie() string {
	first, n := m.Intn(3), m.Intn(9_000_000)+1_000_000
	return fmt.Sprintf("%c%d%c", "XYZ"[first], n, "TRWAGMYFPDXBNJZSQVHLCKE"[(first*10_000_000+n)%23])
}

func (m maker) codiceFiscale() string {
	n := m.from("BCDFGLMNPRSTVZ", 6) + fmt.Sprintf("%02d%s%02d%s%s", m.Intn(100), m.from("ABCDEHLMPRST", 1), 1+m.Intn(28), m.from("ABCDEFGHIL", 1), m.digits(3))
	odd := map[byte]int{}
	for i, v := range []int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21} {
		odd["0123456789"[i]], odd["ABCDEFGHIJ"[i]] = v, v
	}
	for i, v := range []int{2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23} {
		odd["KLMNOPQRSTUVWXYZ"[i]] = v
	}
	t := 0
	for i := range len(n) {
		switch {
		case i%2 == 0:
			t += odd[n[i]]
		case n[i] >= 'A':
			t += int(n[i] - 'A')
		default:
			t += int(n[i] - '0')
		}
	}
	return n + string(rune('A'+t%26))
}

func (m maker) nir() string {
	n := fmt.Sprintf("%d%02d%02d%02d%03d%03d", 1+m.Intn(2), m.Intn(100), 1+m.Intn(12), 1+m.Intn(95), 1+m.Intn(600), 1+m.Intn(900))
	v := 0
	for _, c := range n {
		v = (v*10 + int(c-'0')) % 97
	}
	n += fmt.Sprintf("%02d", 97-v)
	return m.pick(n, group(n, " ", 1, 2, 2, 2, 3, 3, 2))
}

func (m maker) steuerID() string {
	d := m.Perm(10)
	if d[0] == 0 {
		d[0], d[1] = d[1], d[0]
	}
	d[9] = d[1+m.Intn(8)] // one digit twice, one not at all
	product, n := 10, ""
	for _, v := range d {
		n += fmt.Sprint(v)
		t := (v + product) % 10
		if t == 0 {
			t = 10
		}
		product = t * 2 % 11
	}
	n += fmt.Sprint((11 - product) % 10)
	return m.pick(n, group(n, " ", 2, 3, 3, 3))
}

func (m maker) bsn() string {
	for {
		n := m.digits(8)
		if c := sum(n, 9, 8, 7, 6, 5, 4, 3, 2) % 11; c < 10 {
			return n + fmt.Sprint(c)
		}
	}
}

func (m maker) pesel() string {
	n := fmt.Sprintf("%02d%02d%02d%s", m.Intn(100), 1+m.Intn(12)+20*m.Intn(2), 1+m.Intn(28), m.digits(4))
	return n + fmt.Sprint((10-sum(n, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10)
}

func (m maker) nif() string {
	n := m.pick("1", "2") + m.digits(7)
	return n + elevenDigit(sum(n, 9, 8, 7, 6, 5, 4, 3, 2))
}

func (m maker) rijksregister() string {
	n := fmt.Sprintf("%02d%02d%02d%03d", 30+m.Intn(69), 1+m.Intn(12), 1+m.Intn(28), 1+m.Intn(900))
	v := 0
	for _, c := range n {
		v = v*10 + int(c-'0')
	}
	n += fmt.Sprintf("%02d", 97-v%97)
	return m.pick(n, n[:2]+"."+n[2:4]+"."+n[4:6]+"-"+n[6:9]+"."+n[9:])
}
