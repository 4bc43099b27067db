// What net/http of Go makes of an agent: asks through it as a proxy in several ways, and prints what it saw as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"time"
)

type seen struct {
	Status  int
	Body    json.RawMessage
	Trailer string `json:",omitempty"`
}

func main() {
	proxy := &url.URL{Scheme: "http", Host: os.Args[1]}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), ExpectContinueTimeout: 10 * time.Second}
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	all := map[string]any{}
	connections, continues, hints := 0, 0, 0
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if !info.Reused {
				connections++
			}
		},
		Got100Continue: func() { continues++ },
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			if code == 103 {
				hints++
			}
			return nil
		},
	}
	ask := func(name string, request *http.Request) {
		request = request.WithContext(httptrace.WithClientTrace(request.Context(), trace))
		response, err := client.Do(request)
		if err != nil {
			panic(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			panic(err)
		}
		response.Body.Close()
		all[name] = seen{response.StatusCode, body, response.Trailer.Get("X-Sum")}
	}
	request := func(method, path string, body io.Reader) *http.Request {
		made, err := http.NewRequest(method, "http://reviews"+path, body)
		if err != nil {
			panic(err)
		}
		return made
	}
	much := bytes.Repeat([]byte("x"), 1_000_000)

	ask("get", request("GET", "/a?b=c", nil))
	ask("post", request("POST", "/", bytes.NewReader(much)))
	chunked := request("POST", "/", io.MultiReader(bytes.NewReader(much)))
	chunked.Trailer = http.Header{"X-Sum": {"7"}}
	ask("chunked with a trailer", chunked)
	expecting := request("PUT", "/", bytes.NewReader(much))
	expecting.Header.Set("Expect", "100-continue")
	ask("expecting", expecting)
	ask("answered with a trailer", request("GET", "/trailers", nil))
	ask("answered behind hints", request("GET", "/hints", nil))
	all["connections"], all["continues"], all["hints"] = connections, continues, hints
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		panic(err)
	}
}
