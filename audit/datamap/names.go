package datamap

import "strings"

// commonLabels are the labels of host names that may be shown beside the
// common words: roles of machines and top-level domains.
const commonLabels = `
www web m mobile cdn img static assets media api apis gw gateway proxy edge lb origin backend frontend upstream node host server app apps
auth login sso id idp accounts admin portal intranet extranet crm erp hr shop store blog docs help support status mail smtp imap mx ns dns ftp vpn
dev test qa stage staging preprod prod production live demo sandbox internal local localhost localdomain lan corp cluster svc default kube-system
eu us br de fr es it nl pl pt uk gb at ch be se no dk fi ie in jp au ca mx ar co io ai app cloud com net org edu gov mil int info biz eu dev test example invalid
google bing duckduckgo yandex baidu yahoo facebook instagram linkedin github gitlab wikipedia youtube amazonaws azure googleapis cloudfront
`

// commonKeys are the keys of queries that may be shown beside the common words.
const commonKeys = `
page size limit offset start end from to until since before after cursor next prev per_page page_size sort sort_by order order_by dir direction asc desc
q query search term keyword keywords filter filters fields include exclude expand select group_by view format type kind status state lang language locale
id ids key name first_name last_name surname email mail e-mail phone tel mobile address street city zip postal_code country birthday dob gender
user user_id userid username uid customer customer_id customerid account account_id accountid member member_id patient patient_id employee employee_id
order_id orderid invoice invoice_id item item_id product product_id sku card cardnumber card_number iban account_number amount currency price qty quantity
ref referrer referer redirect redirect_uri return return_to returnurl return_url callback next_url url uri path target source src medium
utm_source utm_medium utm_campaign utm_term utm_content gclid fbclid msclkid campaign channel code state nonce scope response_type client_id grant_type
token access_token refresh_token id_token api_key apikey session session_id sessionid sid jsessionid phpsessid auth signature sig hash ts timestamp t v ver version
lat lon lng latitude longitude width height w h x y z date time year month day week timezone tz debug verbose pretty callback _ cache cb rnd random
action method op operation cmd command mode step tab section category categories tag tags topic_id partition group topic message msg text title
`

func addWords(into map[string]string, words string) {
	for _, w := range strings.Fields(words) {
		into[w] = w
	}
}

// Key is the key of a query parameter if it is a known word or one of the map's
// patterns, else "". A parameter without a value may be a value itself: the
// caller does not ask for those.
func (d *Deriver) Key(name string) string { return lookup(d.keys, name) }

// Host is a host name, with its port, as it may be shown: whole if the map names
// it under a system's hosts, else with each label that is no known word as {id}.
// It is "" for what is no host name. On a host that was seen before it does not
// allocate.
func (d *Deriver) Host(host string) string {
	if shown, ok := d.shown.Load(host); ok {
		return shown.(string)
	}
	shown := d.host(host)
	if d.shownCount.Add(1) <= maxShown {
		d.shown.Store(strings.Clone(host), shown)
	}
	return shown
}

// maxShown is how many host names are remembered, in memory.
const maxShown = 4096

func (d *Deriver) host(host string) string {
	name, port, hasPort := strings.Cut(host, ":")
	if name == "" || len(name) > 253 || (hasPort && (port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "")) {
		return ""
	}
	if whole := lookup(d.hosts, name); whole != "" {
		return join(whole, port)
	}
	var b strings.Builder
	for i, label := range strings.Split(name, ".") {
		if i > 0 {
			b.WriteByte('.')
		}
		if i == maxLabels {
			b.WriteString(rest)
			break
		}
		if known := lookup(d.labels, label); known != "" {
			b.WriteString(known)
		} else {
			b.WriteString(hidden)
		}
	}
	return join(b.String(), port)
}

// maxLabels is how many labels of a host name are shown.
const maxLabels = 6

func join(name, port string) string {
	if port == "" {
		return name
	}
	return name + ":" + strings.Clone(port)
}

// lookup finds s in words without regard to ASCII case; it returns the listed
// form, so that nothing of s is kept.
func lookup(words map[string]string, s string) string {
	if len(s) > 64 {
		return ""
	}
	if w, ok := words[s]; ok {
		return w
	}
	return words[strings.ToLower(s)]
}
