//! The manifest of a plugin: the layout that the CNCF's WebAssembly group has agreed on.
//!
//! ```text
//! manifest  application/vnd.oci.image.manifest.v1+json
//! ├─ config application/vnd.wasm.config.v0+json          what the component imports and exports
//! └─ layer  application/wasm                             exactly one: the component
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Digest;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// All forms that are asked for, so that a registry shows what it has instead of saying that there is nothing.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
/// When every component was made: the configuration has to name a time, and the same component has to get the same manifest.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// Why a manifest is no plugin's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPlugin {
    #[error("its manifest isn't JSON of a manifest")]
    Unreadable,
    #[error("it is an index of several images; name the one that has the plugin by its digest")]
    Index,
    #[error("it is a container's image; a plugin is pushed with till plugin push")]
    Image,
    #[error("its manifest has the type {0:?}, wanted {MANIFEST}")]
    Type(String),
    #[error("its configuration has the type {0:?}, wanted {CONFIG}; push the component anew with till plugin push")]
    Config(String),
    #[error("it has no layer, wanted exactly one of the type {LAYER}")]
    NoLayer,
    #[error("it has {0} layers, wanted exactly one: which of them is the plugin can't be told")]
    Layers(usize),
    #[error("its layer has the type {0:?}, wanted {LAYER}; push the component anew with till plugin push")]
    Layer(String),
    #[error("its layer has the digest {0:?}, wanted a sha256")]
    Digest(String),
    #[error("its component has {bytes} bytes, a plugin may have {bytes_max} (limits.component_mib)")]
    TooLarge { bytes: u64, bytes_max: usize },
    #[error("its component has other than the {0} bytes that its manifest says")]
    Size(u64),
}

/// What a manifest says of a content.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    #[serde(default)]
    pub(super) digest: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    pub(super) artifact_type: Option<String>,
}

/// A manifest or an index, as far as it counts here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    pub(super) artifact_type: Option<String>,
    #[serde(default)]
    pub(super) config: Option<Descriptor>,
    #[serde(default)]
    pub(super) layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    pub(super) manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    pub(super) subject: Option<Descriptor>,
}

/// The component, as its manifest describes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// Returns the component of a plugin's manifest.
///
/// # Errors
/// Says why it is no plugin's.
pub(super) fn component_of(manifest: &[u8], bytes_max: usize) -> Result<Component, NotPlugin> {
    let Manifest { media_type, config, layers, manifests, .. } =
        serde_json::from_slice(manifest).map_err(|_| NotPlugin::Unreadable)?;
    match media_type.as_deref() {
        Some(INDEX | DOCKER_LIST) => return Err(NotPlugin::Index),
        Some(DOCKER_MANIFEST) => return Err(NotPlugin::Image),
        Some(MANIFEST) => {}
        // The type may be left to the answer's header, where it doesn't have the digest's protection.
        None if manifests.is_some() => return Err(NotPlugin::Index),
        None => {}
        Some(other) => return Err(NotPlugin::Type(short(other))),
    }
    match config.map(|config| config.media_type) {
        Some(config) if config == CONFIG => {}
        Some(config) if IMAGE_CONFIGS.contains(&&*config) => return Err(NotPlugin::Image),
        config => return Err(NotPlugin::Config(short(&config.unwrap_or_default()))),
    }
    let layers = layers.unwrap_or_default();
    let layer = match layers.as_slice() {
        [layer] => layer,
        [] => return Err(NotPlugin::NoLayer),
        several => return Err(NotPlugin::Layers(several.len())),
    };
    if layer.media_type != LAYER {
        return Err(NotPlugin::Layer(short(&layer.media_type)));
    }
    let digest = Digest::parse(&layer.digest).ok_or_else(|| NotPlugin::Digest(short(&layer.digest)))?;
    if layer.size > bytes_max as u64 {
        return Err(NotPlugin::TooLarge { bytes: layer.size, bytes_max });
    }
    Ok(Component { digest, size: layer.size })
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

/// What is said of a component that is pushed.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The plugin's name and version.
    pub name: String,
    pub version: String,
    /// The interfaces that the component imports and exports.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// A component's manifest, with its configuration. The same component always gets the same.
pub(super) struct Made {
    pub(super) manifest: Bytes,
    pub(super) config: Bytes,
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "mediaType")]
    media_type: &'a str,
    digest: &'a str,
    size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, String>,
}

/// Makes the manifest of a component.
///
/// # Errors
/// None that is known: the parts are texts.
pub(super) fn made(component: &[u8], about: &About) -> serde_json::Result<Made> {
    let layer = Digest::of(component);
    let config = serde_json::to_vec(&json!({
        "created": CREATED,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [layer.as_str()],
        "component": { "exports": about.exports, "imports": about.imports },
    }))?;
    let of_config = Digest::of(&config);
    let title = "org.opencontainers.image.title";
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": CONFIG,
        "config": Written { media_type: CONFIG, digest: of_config.as_str(), size: config.len(), annotations: BTreeMap::new() },
        "layers": [Written {
            media_type: LAYER,
            digest: layer.as_str(),
            size: component.len(),
            // The file's name for tools that write layers to files, such as oras.
            annotations: BTreeMap::from([(title, format!("{}.wasm", about.name))]),
        }],
        "annotations": { title: about.name, "org.opencontainers.image.version": about.version },
    }))?;
    Ok(Made { manifest: manifest.into(), config: config.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn manifest() -> Value {
        let about = About { name: "spring".to_owned(), version: "1.2.0".to_owned(), ..About::default() };
        serde_json::from_slice(&made(b"component", &about).expect("made").manifest).expect("JSON")
    }

    fn read(manifest: &Value) -> Result<Component, NotPlugin> {
        component_of(manifest.to_string().as_bytes(), 100)
    }

    #[test]
    fn what_is_made_is_read() {
        assert_eq!(read(&manifest()), Ok(Component { digest: Digest::of(b"component"), size: 9 }));
        let about = About::default();
        let [first, second] = [0; 2].map(|_| made(b"component", &about).expect("made"));
        assert_eq!((first.manifest, first.config), (second.manifest, second.config));
    }

    #[test]
    fn each_other_manifest_has_its_own_refusal() {
        let check = |change: fn(&mut Value), refusal: NotPlugin| {
            let mut manifest = manifest();
            change(&mut manifest);
            assert_eq!(read(&manifest), Err(refusal), "{manifest}");
        };
        check(|manifest| *manifest = json!("none"), NotPlugin::Unreadable);
        check(|manifest| manifest["layers"] = json!("many"), NotPlugin::Unreadable);
        check(|manifest| manifest["mediaType"] = json!(INDEX), NotPlugin::Index);
        check(|manifest| manifest["mediaType"] = json!(DOCKER_LIST), NotPlugin::Index);
        check(|manifest| *manifest = json!({ "manifests": [] }), NotPlugin::Index);
        check(|manifest| manifest["mediaType"] = json!(DOCKER_MANIFEST), NotPlugin::Image);
        check(|manifest| manifest["mediaType"] = json!("text/html"), NotPlugin::Type("text/html".to_owned()));
        check(|manifest| manifest["config"]["mediaType"] = json!(IMAGE_CONFIGS[0]), NotPlugin::Image);
        check(|manifest| manifest["config"]["mediaType"] = json!("a/b"), NotPlugin::Config("a/b".to_owned()));
        check(|manifest| manifest["config"] = Value::Null, NotPlugin::Config(String::new()));
        check(|manifest| manifest["layers"] = json!([]), NotPlugin::NoLayer);
        check(|manifest| manifest["layers"] = Value::Null, NotPlugin::NoLayer);
        check(
            |manifest| manifest["layers"] = json!([manifest["layers"][0], manifest["layers"][0]]),
            NotPlugin::Layers(2),
        );
        let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
        check(
            |manifest| manifest["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip"),
            NotPlugin::Layer(gzip.to_owned()),
        );
        check(
            |manifest| manifest["layers"][0]["digest"] = json!("sha512:00"),
            NotPlugin::Digest("sha512:00".to_owned()),
        );
        check(
            |manifest| manifest["layers"][0]["size"] = json!(101),
            NotPlugin::TooLarge { bytes: 101, bytes_max: 100 },
        );
        let mut untyped = manifest();
        untyped["mediaType"] = Value::Null;
        assert!(read(&untyped).is_ok(), "a manifest may leave its type to the header");
    }
}
