// Command vault is a Vault for tests: two nodes of the server's own code with
// their storage in memory, unsealed, of which one stands by, and the transit
// engine to be mounted.
//
// usage: vault ADDRESS STANDBY_ADDRESS CERT_FILE KEY_FILE
//
// It prints the root token.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err)
	}
}

func run(address, standby, cert, key string) error {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Off})
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return err
	}
	locks, err := inmem.NewInmemHA(nil, logger)
	if err != nil {
		return err
	}
	node := func(address string) (*vault.Core, error) {
		return vault.NewCore(&vault.CoreConfig{
			Physical: storage, HAPhysical: locks.(physical.HABackend), RedirectAddr: "https://" + address, Logger: logger, DisableMlock: true,
			LogicalBackends: map[string]logical.Factory{"transit": transit.Factory}, BuiltinRegistry: engines{},
		})
	}
	active, err := node(address)
	if err != nil {
		return err
	}
	made, err := active.Initialize(context.Background(), &vault.InitParams{BarrierConfig: &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}})
	if err != nil {
		return err
	}
	if err := unseal(active, made.SecretShares[0]); err != nil {
		return err
	}
	for ready := false; !ready; time.Sleep(10 * time.Millisecond) {
		waits, err := active.Standby()
		if err != nil {
			return err
		}
		ready = !waits
	}
	second, err := node(standby)
	if err != nil {
		return err
	}
	if err := unseal(second, made.SecretShares[0]); err != nil {
		return err
	}
	fmt.Println(made.RootToken)
	failed := make(chan error, 2)
	serve := func(address string, core *vault.Core) {
		failed <- http.ListenAndServeTLS(address, cert, key, vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core}))
	}
	go serve(standby, second)
	go serve(address, active)
	return <-failed
}

func unseal(core *vault.Core, share []byte) error {
	done, err := core.Unseal(share)
	if err == nil && !done {
		err = errors.New("it stays sealed")
	}
	return err
}

// engines are those that the server has: the transit engine alone.
type engines struct{}

func (engines) Contains(name string, kind consts.PluginType) bool {
	return name == "transit" && kind == consts.PluginTypeSecrets
}

func (e engines) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	if !e.Contains(name, kind) {
		return nil, false
	}
	return func() (interface{}, error) { return logical.Factory(transit.Factory), nil }, true
}

func (e engines) Keys(kind consts.PluginType) []string {
	if e.Contains("transit", kind) {
		return []string{"transit"}
	}
	return nil
}

func (e engines) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, e.Contains(name, kind)
}
