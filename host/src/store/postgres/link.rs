//! Connections to the database: where it is, how it is spoken to, and what an error means.
//!
//! Every statement says its parameters' types, and what a transaction needs is set in the transaction. So nothing depends on a
//! session, and a pooler in transaction mode may stand between: if a statement that was prepared isn't there any more, none is
//! prepared from then on.

use std::{
    collections::HashMap,
    error::Error as _,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres::{
    Client, Config, Row, Statement,
    config::{Host, SslMode, TargetSessionAttrs},
    error::SqlState,
    types::Type,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{DatabaseError, OpenError, Outage, PostgresSettings, StoreError, transaction::Parameters};

/// How long a connection may take to be made, for each of the database's hosts.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long data may stay unacknowledged before a connection counts as lost: a host that vanished sends no end.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// Where the database is, and how to reach it.
#[derive(Clone)]
pub(super) struct Link {
    config: Config,
    tls: MakeRustlsConnect,
    /// Whether statements may be prepared: until a pooler turns out to stand between.
    may_prepare: Arc<AtomicBool>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Link").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

impl Link {
    /// # Errors
    /// When the address can't be understood, or a file that the settings name can't be read.
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, OpenError> {
        let mut config: Config =
            settings.url.parse().map_err(|error: tokio_postgres::Error| OpenError::Url(error.into()))?;
        if config.get_hosts().is_empty() {
            return Err(OpenError::NoHost);
        }
        if let Some(password) = password(settings.password_file.as_deref(), &config)? {
            config.password(password);
        }
        if config.get_user().is_none() {
            config.user(std::env::var("PGUSER").unwrap_or_else(|_| "till".to_owned()));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WITHIN);
        }
        // A demoted primary and a standby take connections, and no orders.
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .tcp_user_timeout(LOST_AFTER)
            .keepalives_idle(LOST_AFTER)
            .keepalives_interval(LOST_AFTER / 2)
            .keepalives_retries(2)
            .application_name("till");
        let tls = tls(settings.ca_file.as_deref(), config.get_ssl_mode())?;
        Ok(Self { config, tls, may_prepare: Arc::new(AtomicBool::new(true)) })
    }

    /// Returns the database's hosts, for messages.
    pub(super) fn hosts(&self) -> String {
        self.each_host().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    }

    /// Returns each of the hosts, with its port, and how it is reached.
    fn each_host(&self) -> impl Iterator<Item = (String, Config)> {
        let ports = self.config.get_ports();
        // One port stands for all hosts.
        let port = move |place: usize| ports.get(place).or_else(|| ports.first()).copied().unwrap_or(5432);
        self.config.get_hosts().iter().enumerate().map(move |(place, host)| {
            let port = port(place);
            let mut config = self.without_hosts();
            let name = match host {
                Host::Tcp(name) => {
                    config.host(name);
                    format!("{name}:{port}")
                }
                Host::Unix(path) => {
                    config.host_path(path);
                    format!("{}:{port}", path.display())
                }
            };
            config.port(port);
            (name, config)
        })
    }

    fn without_hosts(&self) -> Config {
        let all = &self.config;
        let mut config = Config::new();
        all.get_user().map(|user| config.user(user));
        all.get_password().map(|password| config.password(password));
        all.get_dbname().map(|dbname| config.dbname(dbname));
        all.get_options().map(|options| config.options(options));
        all.get_connect_timeout().map(|within| config.connect_timeout(*within));
        config.ssl_mode(all.get_ssl_mode()).target_session_attrs(all.get_target_session_attrs());
        config
    }

    /// Says why none of the hosts can be used, each by itself: the client says it of the last one only.
    async fn why_not(&self, said: DatabaseError) -> DatabaseError {
        if self.config.get_hosts().len() < 2 {
            return said;
        }
        let mut reasons = Vec::new();
        for (name, config) in self.each_host() {
            let reason = match config.connect(self.tls.clone()).await {
                Ok(_) => "takes connections again".to_owned(),
                Err(error) => DatabaseError::from(error).to_string(),
            };
            reasons.push(format!("{name}: {reason}"));
        }
        DatabaseError::new(Said(reasons.join("; ")), false)
    }

    /// Returns a first connection, for who begins.
    ///
    /// # Errors
    /// Says what may be wrong.
    pub(super) async fn reach(&self) -> Result<Session, OpenError> {
        match self.connect().await {
            Ok(session) => Ok(session),
            Err(source) => Err(OpenError::Unreachable { hosts: self.hosts(), source: self.why_not(source).await }),
        }
    }

    /// Returns a new connection to the first host that takes writes.
    pub(super) async fn connect(&self) -> Result<Session, DatabaseError> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            // Whoever uses the client gets the same error.
            drop(connection.await);
        });
        let may_prepare = Arc::clone(&self.may_prepare);
        Ok(Session { client, may_prepare, seen: Mutex::default(), prepared: HashMap::new() })
    }
}

/// A connection, with the statements that it has prepared.
pub(super) struct Session {
    client: Client,
    may_prepare: Arc<AtomicBool>,
    /// Statements that were used and aren't prepared.
    seen: Mutex<HashMap<String, Vec<Type>>>,
    prepared: HashMap<String, Statement>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("prepared", &self.prepared.len()).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) async fn batch_execute(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }

    /// Carries out a statement, and returns its rows.
    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let Some(prepared) = self.prepared.get(sql) else {
            self.note(sql, parameters);
            return self.client.query_typed(sql, parameters).await;
        };
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        self.judged(self.client.query(prepared, &values).await)
    }

    /// Carries out a statement, and returns how many rows it changed.
    pub(super) async fn execute(&self, sql: &str, parameters: &Parameters<'_>) -> Result<u64, tokio_postgres::Error> {
        let Some(prepared) = self.prepared.get(sql) else {
            self.note(sql, parameters);
            return self.client.execute_typed(sql, parameters).await;
        };
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        self.judged(self.client.execute(prepared, &values).await)
    }

    /// Prepares what was used so far, so that the server doesn't plan it again each time. Not within a transaction, for what is sent
    /// together there must not wait.
    pub(super) async fn prepare_seen(&mut self) -> Result<(), tokio_postgres::Error> {
        if !self.may_prepare.load(Relaxed) {
            return Ok(());
        }
        let seen = std::mem::take(&mut *self.seen.lock());
        for (sql, types) in seen {
            let statement = self.client.prepare_typed(&sql, &types).await?;
            self.prepared.insert(sql, statement);
        }
        Ok(())
    }

    fn note(&self, sql: &str, parameters: &Parameters<'_>) {
        let mut seen = self.seen.lock();
        if !seen.contains_key(sql) {
            seen.insert(sql.to_owned(), parameters.iter().map(|(_, of)| of.clone()).collect());
        }
    }

    /// Notes that a pooler gives every transaction another session, in which nothing is prepared.
    fn judged<T>(&self, outcome: Result<T, tokio_postgres::Error>) -> Result<T, tokio_postgres::Error> {
        if let Err(error) = &outcome
            && code(error).is_some_and(is_of_pooler)
        {
            self.may_prepare.store(false, Relaxed);
        }
        outcome
    }
}

fn password(file: Option<&Path>, config: &Config) -> Result<Option<String>, OpenError> {
    if let Some(file) = file {
        let text = fs::read_to_string(file).map_err(|source| OpenError::File { file: file.into(), source })?;
        return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    let given = config.get_password().is_some();
    Ok(if given { None } else { std::env::var("PGPASSWORD").ok() })
}

fn tls(ca_file: Option<&Path>, mode: SslMode) -> Result<MakeRustlsConnect, OpenError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        let unreadable = |source| OpenError::File { file: file.into(), source };
        let pem = fs::read(file).map_err(unreadable)?;
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
            added.ok_or_else(|| OpenError::NoCertificate { file: file.into() })?;
            found += 1;
        }
        if found == 0 {
            return Err(OpenError::NoCertificate { file: file.into() });
        }
    } else if mode != SslMode::Disable {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(OpenError::Tls)?.with_root_certificates(roots).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// What is left of a transaction that failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nothing of it was done, and the same may be tried at once: another transaction was in the way.
    Crossed(DatabaseError),
    /// Nothing of it was done, and the same would fail again.
    Refused(DatabaseError),
    /// Nothing of it was done: the connection is gone, or its server takes no writes any more.
    Lost(DatabaseError),
    /// The connection was lost while the transaction was being committed.
    Unknown(DatabaseError),
}

impl From<tokio_postgres::Error> for Failed {
    /// Of a statement before the COMMIT.
    fn from(error: tokio_postgres::Error) -> Self {
        let kind = match code(&error) {
            None => Self::Lost,
            Some(code) if is_crossed(code) => Self::Crossed,
            Some(code) if is_leaving(code) || is_of_pooler(code) => Self::Lost,
            Some(_) => Self::Refused,
        };
        kind(error.into())
    }
}

impl Failed {
    /// Says what a failure means that came with a COMMIT, or with a statement that a COMMIT was sent behind: the connection may
    /// have been lost after that was carried out.
    pub(super) fn of_commit(self) -> Self {
        match self {
            Self::Lost(error) => Self::Unknown(error),
            failed => failed,
        }
    }

    /// Returns what the database said.
    pub(super) fn cause(&self) -> DatabaseError {
        match self {
            Self::Crossed(error) | Self::Refused(error) | Self::Lost(error) | Self::Unknown(error) => error.clone(),
        }
    }

    /// Returns what a caller is told.
    pub(super) fn error(&self) -> StoreError {
        match self {
            Self::Crossed(error) | Self::Lost(error) => StoreError::Unavailable(Outage::Database(error.clone())),
            Self::Refused(error) => StoreError::Refused(error.clone()),
            Self::Unknown(error) => StoreError::OutcomeUnknown(error.clone()),
        }
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        failed.error()
    }
}

/// Returns what the server calls the error; `None` if the connection itself failed.
pub(super) fn code(error: &tokio_postgres::Error) -> Option<&SqlState> {
    error.code()
}

/// Another transaction was in the way, and this one is undone.
fn is_crossed(code: &SqlState) -> bool {
    [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE].contains(code)
}

/// A prepared statement isn't there, or another one is: a pooler in transaction mode stands between.
fn is_of_pooler(code: &SqlState) -> bool {
    [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code)
}

/// The server stops, starts, or isn't the primary any more.
fn is_leaving(code: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(code)
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        let mut said = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !said.contains(&text) {
                said = format!("{said}: {text}");
            }
            source = cause.source();
        }
        if let Some(code) = code(&error) {
            said = format!("{said} ({})", code.code());
        }
        Self::new(Said(said), false)
    }
}

/// An error's whole text. The client's own says only of what kind it is, and has the rest as sources.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);
