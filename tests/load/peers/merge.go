// The same fan-out as the broker's, with nothing but Go's standard library: entries are checked to be JSON by its
// parser, and concatenated as they came. Nothing is rewritten, grouped or put on record.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

type plan struct {
	Operation  string
	Parameters string
	Identifier string
	Sources    []struct{ Kind, URL string }
}

type bundle struct {
	Entry []json.RawMessage `json:"entry"`
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}

func post(url, media, body string) ([]byte, error) {
	said, err := client.Post(url, media, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer said.Body.Close()
	if said.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %d", url, said.StatusCode)
	}
	return io.ReadAll(said.Body)
}

func chain(p *plan, at int) (bundle, error) {
	var found bundle
	source := p.Sources[at]
	if source.Kind == "gp" {
		text, err := post(source.URL+p.Operation, "application/fhir+json", p.Parameters)
		if err != nil {
			return found, err
		}
		return found, json.Unmarshal(text, &found)
	}
	form := "application/x-www-form-urlencoded"
	text, err := post(source.URL+"/Patient/_search", form, p.Identifier)
	if err != nil {
		return found, err
	}
	var patient struct {
		Entry []struct {
			Resource struct {
				ID string `json:"id"`
			} `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(text, &patient); err != nil || len(patient.Entry) == 0 {
		return found, fmt.Errorf("no patient: %w", err)
	}
	search := "patient=" + patient.Entry[0].Resource.ID + "&_count=100"
	text, err = post(source.URL+"/Observation/_search", form, search)
	if err != nil {
		return found, err
	}
	return found, json.Unmarshal(text, &found)
}

func main() {
	var p plan
	if err := json.Unmarshal([]byte(os.Getenv("PLAN")), &p); err != nil {
		panic(err)
	}
	serve := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		found := make([]bundle, len(p.Sources))
		failed := make([]error, len(p.Sources))
		var all sync.WaitGroup
		for at := range p.Sources {
			all.Add(1)
			go func() {
				defer all.Done()
				found[at], failed[at] = chain(&p, at)
			}()
		}
		all.Wait()
		var out bytes.Buffer
		out.WriteString(`{"resourceType":"Bundle","type":"collection","entry":[`)
		first := true
		for at := range found {
			if failed[at] != nil {
				http.Error(w, failed[at].Error(), http.StatusBadGateway)
				return
			}
			for _, entry := range found[at].Entry {
				if !first {
					out.WriteByte(',')
				}
				first = false
				out.Write(entry)
			}
		}
		out.WriteString("]}")
		w.Header().Set("Content-Type", "application/fhir+json")
		w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
		w.Write(out.Bytes())
	}
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(serve)))
}
