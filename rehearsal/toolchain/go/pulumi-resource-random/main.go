// The random provider of Pulumi, as far as this project needs it: RandomPassword and nothing else.
package main

import (
	"context"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/terraform-providers/terraform-provider-random/shim"
)

func main() {
	info := tfbridge.ProviderInfo{
		P:            pf.ShimProvider(shim.New()),
		Name:         "random",
		Version:      shim.Version,
		MetadataInfo: tfbridge.NewProviderMetadata(nil),
		Resources: map[string]*tfbridge.ResourceInfo{
			"random_password": {Tok: tfbridge.MakeResource("random", "index", "RandomPassword")},
		},
		IgnoreMappings: []string{
			"random_bytes", "random_id", "random_integer", "random_pet",
			"random_shuffle", "random_string", "random_uuid",
		},
	}
	pf.Main(context.Background(), "random", info, pf.ProviderMetadata{PackageSchema: []byte("{}")})
}
