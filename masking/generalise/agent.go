package generalise

import (
	"strings"
	"sync"
)

// Other is the family of a user agent that the list does not have.
const Other = "other"

// family is a product of the closed list and the token that shows it.
type family struct {
	token string // as in the user agent, with what stands before the version
	name  string
}

// families in the order in which they are tried: the special ones before those
// whose tokens they carry too (every Edge says Chrome, every Chrome Safari).
var families = []family{
	{"Googlebot/", "Googlebot"}, {"bingbot/", "Bingbot"}, {"Applebot/", "Applebot"}, {"DuckDuckBot/", "DuckDuckBot"}, {"Baiduspider/", "Baiduspider"},
	{"YandexBot/", "YandexBot"}, {"AhrefsBot/", "AhrefsBot"}, {"SemrushBot/", "SemrushBot"}, {"GPTBot/", "GPTBot"}, {"ClaudeBot/", "ClaudeBot"},
	{"facebookexternalhit/", "Facebook"}, {"Twitterbot/", "Twitterbot"}, {"Slackbot", "Slackbot"}, {"LinkedInBot/", "LinkedInBot"},
	{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"Edge/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"HeadlessChrome/", "Headless Chrome"},
	{"Electron/", "Electron"}, {"Chrome/", "Chrome"}, {"Firefox/", "Firefox"}, {"MSIE ", "Internet Explorer"}, {"Trident/", "Internet Explorer"},
	{"Version/", "Safari"},
	{"curl/", "curl"}, {"Wget/", "Wget"}, {"python-requests/", "python-requests"}, {"Python-urllib/", "Python-urllib"}, {"aiohttp/", "aiohttp"},
	{"python-httpx/", "httpx"}, {"Go-http-client/", "Go"}, {"okhttp/", "okhttp"}, {"PostmanRuntime/", "Postman"}, {"insomnia/", "Insomnia"},
	{"kube-probe/", "kube-probe"}, {"Prometheus/", "Prometheus"}, {"GoogleHC/", "Google health check"}, {"ELB-HealthChecker/", "ELB health check"},
	{"Apache-HttpClient/", "Apache HttpClient"}, {"Java/", "Java"}, {"Java-http-client/", "Java"}, {"node-fetch/", "node-fetch"}, {"axios/", "axios"},
	{"undici", "undici"}, {"Dalvik/", "Dalvik"}, {"CFNetwork/", "CFNetwork"}, {"git/", "git"}, {"Docker-Client/", "Docker"}, {"libwww-perl/", "libwww-perl"},
	{"GuzzleHttp/", "Guzzle"}, {"PHP/", "PHP"}, {"Ruby", "Ruby"}, {"grpc-go/", "grpc-go"}, {"grpc-java", "grpc-java"},
	{"apache-kafka-java", "Kafka Java client"}, {"librdkafka", "librdkafka"},
}

// Agent is the family and major version of a user agent, such as Firefox 129;
// Other if no list knows it.
func Agent(ua string) string {
	if ua == "" {
		return ""
	}
	for _, f := range families {
		at := strings.Index(ua, f.token)
		if at < 0 || at > 0 && isWord(ua[at-1]) {
			continue
		}
		if f.name == "Safari" && !strings.Contains(ua[at:], "Safari/") {
			continue
		}
		if v := major(ua[at+len(f.token):]); v != "" {
			return f.name + " " + v
		}
		return f.name
	}
	return Other
}

func isWord(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '-' || c == '_'
}

// major is the first number of a version, "" if it is none that a version has.
func major(s string) string {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	if n == 0 || n > 3 {
		return ""
	}
	return s[:n]
}

// maxAgents bounds the user agents that are remembered.
const maxAgents = 4096

// Agents is Agent with a memory: a site sees few user agents many times. It is
// safe for concurrent use. The zero value is ready.
type Agents struct {
	mu   sync.RWMutex
	seen map[string]string // guarded by mu
}

// Agent is the package's function Agent, remembered.
func (a *Agents) Agent(ua string) string {
	if ua == "" {
		return ""
	}
	a.mu.RLock()
	f, ok := a.seen[ua]
	a.mu.RUnlock()
	if ok {
		return f
	}
	f = strings.Clone(Agent(ua))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil || len(a.seen) >= maxAgents {
		a.seen = make(map[string]string, 64)
	}
	a.seen[strings.Clone(ua)] = f
	return f
}
