package parse

import "strings"

// nginxVariable looks a variable up. Unknown ones become named fields and count
// as chosen by the client.
func nginxVariable(name string) variable {
	if v, ok := nginxVariables[name]; ok {
		return v
	}
	switch h, isHeader := strings.CutPrefix(name, "http_"); {
	case isHeader:
		return variable{field: fNamed, client: true, fieldName: "header:" + strings.ReplaceAll(h, "_", "-")}
	case strings.HasPrefix(name, "cookie_") && strings.Contains(strings.ToLower(name), "sess"):
		return variable{field: fSession, client: true}
	case strings.HasPrefix(name, "upstream_"), strings.HasPrefix(name, "ssl_"), strings.HasPrefix(name, "proxy_"), strings.HasPrefix(name, "connection"):
		return variable{field: fNamed, fieldName: name}
	}
	return variable{field: fNamed, client: true, fieldName: name}
}

// nginxVariables are the variables with a place of their own, and those that
// say nothing about an access.
var nginxVariables = map[string]variable{
	"remote_addr":                     {field: fRemoteAddr, shape: shapeAddr},
	"realip_remote_addr":              {field: fRealip, shape: shapeAddr},
	"remote_port":                     {field: fRemotePort, shape: shapeNumber},
	"remote_user":                     {field: fUser, client: true},
	"time_local":                      {field: fTimeLocal, shape: shapeTimeLocal},
	"time_iso8601":                    {field: fTimeISO, shape: shapeTimeISO},
	"msec":                            {field: fMsec, shape: shapeSeconds},
	"request":                         {field: fRequest, client: true},
	"request_method":                  {field: fMethod, client: true},
	"request_uri":                     {field: fRequestURI, client: true},
	"uri":                             {field: fURI, client: true},
	"document_uri":                    {field: fURI, client: true},
	"args":                            {field: fArgs, client: true},
	"query_string":                    {field: fArgs, client: true},
	"host":                            {field: fHost, client: true},
	"http_host":                       {field: fHost, client: true},
	"server_name":                     {field: fServerName},
	"status":                          {field: fStatus, shape: shapeNumber},
	"body_bytes_sent":                 {field: fBytesOut, shape: shapeNumber},
	"bytes_sent":                      {field: fBytesOut, shape: shapeNumber},
	"request_length":                  {field: fBytesIn, shape: shapeNumber},
	"request_time":                    {field: fSeconds, shape: shapeSeconds},
	"http_referer":                    {field: fReferer, client: true},
	"http_user_agent":                 {field: fUserAgent, client: true},
	"http_x_forwarded_for":            {field: fForwarded, client: true},
	"request_id":                      {field: fRequestID},
	"req_id":                          {field: fRequestID},
	"http_x_request_id":               {field: fRequestID, client: true},
	"ssl_protocol":                    {field: fTLSVersion},
	"ssl_cipher":                      {field: fTLSCipher},
	"ssl_server_name":                 {field: fSNI, client: true},
	"ssl_client_verify":               {field: fCertVerify},
	"ssl_client_s_dn":                 {field: fCertSubject, client: true},
	"ssl_client_fingerprint":          {field: fCertHash},
	"upstream_addr":                   {field: fUpstream},
	"upstream_status":                 {},
	"upstream_response_time":          {},
	"upstream_connect_time":           {},
	"upstream_header_time":            {},
	"upstream_response_length":        {},
	"proxy_upstream_name":             {},
	"proxy_alternative_upstream_name": {},
	"pipe":                            {},
	"pid":                             {},
	"connection":                      {},
	"connection_requests":             {},
	"scheme":                          {},
	"https":                           {},
	"server_port":                     {},
	"server_addr":                     {},
	"server_protocol":                 {},
	"hostname":                        {},
	"gzip_ratio":                      {},
	"nginx_version":                   {},
	"is_args":                         {},
}
